import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { ContentStore } from './content-store.ts';

let root: string;
let store: ContentStore;
const body = Buffer.from('the content of a blob');
const digest = digestOf(body);

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'berth-content-'));
  store = new ContentStore(root);
  await store.open();
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const files = (area: string): readonly string[] => readdirSync(join(root, area));

test('small content is there at once, whole and under its digest', async () => {
  await store.put(digest, body);
  await store.put(digest, body);
  expect(files('blobs/sha256')).toEqual([hexOf(digest)]);
  expect(files('ingest')).toEqual([]);
  expect(await store.read(digest)).toEqual(body);
});

test('content is only found when it is whole', async () => {
  const ingest = await store.ingest(digest, body.byteLength, 'r.example');
  await ingest.append(body.subarray(0, 5));
  await ingest.flush();
  expect(await store.locate(digest)).toBeUndefined();
  await ingest.append(body.subarray(5));
  await ingest.finish();
  await ingest.close();
  expect(readFileSync((await store.locate(digest)) ?? '')).toEqual(body);
  expect(files('blobs/sha256')).toEqual([]);
  await store.publish(digest);
  expect(files('blobs/sha256')).toEqual([hexOf(digest)]);
  expect(files('ingest')).toEqual([]);
});

test('a part is taken up again, by another process as well', async () => {
  const first = await store.ingest(digest, body.byteLength, 'r.example');
  await first.append(body.subarray(0, 7));
  await first.flush();
  await first.close();
  const second = await new ContentStore(root).ingest(digest, body.byteLength, 'r.example');
  expect(second.offset).toBe(7);
  await second.append(body.subarray(7));
  await second.finish();
  await second.close();
});

test('parts from several origins are apart, and the first that is whole counts', async () => {
  const [slow, quick, late] = [await store.ingest(digest, body.byteLength, 'slow.example'), await store.ingest(digest, body.byteLength, 'quick.example'), await store.ingest(digest, body.byteLength, 'late.example')];
  await slow.append(body.subarray(0, 3));
  await slow.flush();
  await quick.append(body);
  await quick.finish();
  const found = (await store.locate(digest)) ?? '';
  await late.append(body);
  await late.finish();
  expect(await store.locate(digest)).toBe(found);
  expect(files('ingest')).toHaveLength(2);
  await store.publish(digest);
  expect(files('ingest')).toEqual([]);
  await slow.append(body.subarray(3));
  await slow.finish();
  await store.publish(digest);
  expect(await store.read(digest)).toEqual(body);
  for (const ingest of [slow, quick, late]) await ingest.close();
});

test('a part that an earlier version left is taken up', async () => {
  writeFileSync(join(root, 'ingest', hexOf(digest)), body.subarray(0, 7));
  const ingest = await store.ingest(digest, body.byteLength, 'r.example');
  expect(ingest.offset).toBe(7);
  await ingest.close();
  expect(files('ingest')).toEqual([expect.stringMatching(`^${hexOf(digest)}-`)]);
});

test('parts of what is published are gone after the next start', async () => {
  await store.put(digest, body);
  for (const name of [hexOf(digest), `${hexOf(digest)}-1`, 'a'.repeat(64)]) writeFileSync(join(root, 'ingest', name), 'part');
  await new ContentStore(root).open();
  expect(files('ingest')).toEqual(['a'.repeat(64)]);
});

test('what does not match the digest is thrown away', async () => {
  const ingest = await store.ingest(digest, body.byteLength, 'r.example');
  await ingest.append(Buffer.alloc(body.byteLength));
  await expect(ingest.finish()).rejects.toMatchObject({ kind: 'signature' });
  expect(ingest.offset).toBe(0);
  expect(await store.locate(digest)).toBeUndefined();
  await expect(store.publish(digest)).rejects.toMatchObject({ kind: 'internal' });
  await expect(ingest.append(Buffer.alloc(body.byteLength + 1))).rejects.toMatchObject({ kind: 'signature' });
  await ingest.close();
});

test('a part larger than the whole begins anew', async () => {
  writeFileSync(join(root, 'ingest', hexOf(digest)), Buffer.alloc(100));
  const ingest = await store.ingest(digest, body.byteLength, 'r.example');
  expect(ingest.offset).toBe(0);
  await ingest.close();
});

test('large content in many pieces', async () => {
  const large = Buffer.alloc(5 * 1024 * 1024 + 13, 'x');
  const ingest = await store.ingest(digestOf(large), large.byteLength, 'r.example');
  for (let at = 0; at < large.byteLength; at += 65_521) await ingest.append(large.subarray(at, at + 65_521));
  await ingest.finish();
  await ingest.close();
  expect(readFileSync((await store.locate(digestOf(large))) ?? '').equals(large)).toBe(true);
});

test('content that rotted counts as absent', async () => {
  await store.put(digest, body);
  writeFileSync(join(root, 'blobs/sha256', hexOf(digest)), 'rotten');
  expect(await store.read(digest)).toBeUndefined();
  expect(files('blobs/sha256')).toEqual([]);
});

test('removing takes every state, and nothing is removed twice', async () => {
  await store.put(digest, body);
  writeFileSync(join(root, 'ingest', 'a'.repeat(64)), 'part');
  writeFileSync(join(root, 'ingest', `${'a'.repeat(64)}-1`), 'part');
  writeFileSync(join(root, 'ingest', 'no-digest'), '');
  expect((await store.list()).toSorted()).toEqual([digest, `sha256:${'a'.repeat(64)}`].toSorted());
  for (const found of await store.list()) await store.remove(found);
  await store.remove(digest);
  expect(await store.list()).toEqual([]);
  expect(files('ingest')).toEqual(['no-digest']);
});
