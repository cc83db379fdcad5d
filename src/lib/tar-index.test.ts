import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTarIndex, type TarMember } from './tar-index.ts';

let directory: string;
let archive: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-tar-'));
  archive = join(directory, 'archive.tar');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function index(): Promise<ReadonlyMap<string, TarMember>> {
  await using handle = await open(archive, 'r');
  return await readTarIndex(handle, 'it');
}

async function contentOf(name: string): Promise<string> {
  const member = (await index()).get(name);
  await using handle = await open(archive, 'r');
  const bytes = Buffer.alloc(member?.size ?? 0);
  await handle.read(bytes, 0, bytes.byteLength, member?.offset ?? 0);
  return bytes.toString();
}

/** A ustar header with a right checksum unless `patch` comes after it. */
function header(name: string, size: string, { type = '0', late }: { type?: string; late?: (block: Buffer) => void } = {}): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write(size, 124);
  block.write(' '.repeat(8), 148);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  late?.(block);
  return block;
}

const padded = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc((512 - (Buffer.byteLength(text) % 512)) % 512)]);

describe.each(['ustar', 'pax', 'gnu', 'v7'])('what tar(1) writes as %s', (format) => {
  test('is found', async () => {
    const tree = join(directory, 'tree');
    mkdirSync(join(tree, 'dir/sub'), { recursive: true });
    writeFileSync(join(tree, 'dir/sub/file'), 'content');
    writeFileSync(join(tree, 'dir/empty'), '');
    const name = `dir/${'n'.repeat(format === 'ustar' || format === 'v7' ? 90 : 200)}`;
    writeFileSync(join(tree, name), 'long');
    execFileSync('ln', ['-s', '../dir/empty', join(tree, 'dir/link')]);
    execFileSync('tar', [`--format=${format}`, '-C', tree, '-cf', archive, '.']);
    const members = await index();
    expect(members.get('dir/sub')?.type).toBe('directory');
    expect(members.get('dir/link')).toMatchObject({ type: 'symlink', linkTo: '../dir/empty', size: 0 });
    expect(members.get('dir/empty')).toMatchObject({ type: 'file', size: 0 });
    expect(await contentOf('dir/sub/file')).toBe('content');
    expect(await contentOf(name)).toBe('long');
  });
});

test('the last of members with one name counts', async () => {
  writeFileSync(archive, Buffer.concat([header('a', '3'), padded('one'), header('./a', '3'), padded('two')]));
  expect(await contentOf('a')).toBe('two');
});

test('sizes beyond octal', async () => {
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size[11] = 5;
  const block = header('a', '');
  size.copy(block, 124);
  block.write(' '.repeat(8), 148);
  block.write(`${block.reduce((total, byte) => total + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  writeFileSync(archive, Buffer.concat([block, padded('12345')]));
  expect(await contentOf('a')).toBe('12345');
});

const paxBefore = (record: string, type = 'x'): Buffer => Buffer.concat([header('pax', record.length.toString(8), { type }), padded(record), header('a', '3'), padded('abc')]);

test.each([
  ['nothing', Buffer.alloc(0), /no members/],
  ['only zeros', Buffer.alloc(1024), /no members/],
  ['a wrong checksum', Buffer.concat([header('a', '3', { late: (block) => block.write('b', 0) }), padded('abc')]), /checksum/],
  ['a size that is no number', header('a', '9z9'), /number/],
  ['a size beyond the file', header('a', '77777777777'), /cut off/],
  ['a pax record that counts too far', paxBefore('99 path=x\n'), /pax/],
  ['a pax record that counts zero', paxBefore('0 path=x\n'), /pax/],
  ['a pax record without end', paxBefore('10 path=xx'), /pax/],
  ['a pax size that is negative', paxBefore('11 size=-1\n'), /size/],
  ['a pax size beyond the file', paxBefore('15 size=999999\n'), /cut off/],
  ['an extension without end', Buffer.concat([header('pax', (2 * 1024 * 1024).toString(8), { type: 'x' }), Buffer.alloc(2 * 1024 * 1024)]), /too large/],
])('refuses %s', async (_name, bytes, message) => {
  writeFileSync(archive, bytes);
  await expect(index()).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(message) as unknown });
});

test('refuses an archive that was cut', async () => {
  writeFileSync(archive, Buffer.concat([header('a', '3'), padded('abc'), header('b', '2000'), padded('x'.repeat(1024))]));
  truncateSync(archive, 1600);
  await expect(index()).rejects.toMatchObject({ message: expect.stringContaining('cut off') as unknown });
});

test('a link has no bytes, whatever its header says', async () => {
  writeFileSync(archive, Buffer.concat([header('link', '1000', { type: '1' }), header('a', '3'), padded('abc')]));
  expect(await contentOf('a')).toBe('abc');
});
