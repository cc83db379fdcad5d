import type { FileHandle } from 'node:fs/promises';
import { BerthError } from './errors.ts';

export interface TarMember {
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly size: number;
  /** Target of a link as it was written; empty for others. */
  readonly linkTo: string;
}

interface Header {
  readonly name: string;
  readonly typeFlag: string;
  readonly size: number;
  readonly linkTo: string;
}

/** What an extension header says about the member after it. */
interface Extension {
  readonly name?: string;
  readonly linkTo?: string;
  readonly size?: number;
}

const blockBytes = 512;
const maxMembers = 100_000;
const maxExtensionBytes = 1024 * 1024;
const types: Readonly<Record<string, TarMember['type']>> = { '0': 'file', '\0': 'file', '7': 'file', '1': 'hardlink', '2': 'symlink', '5': 'directory' };

const malformed = (what: string, detail: string): BerthError => new BerthError('invalid', `${what} is not a usable tar archive: ${detail}`);

/**
 * Reads where each member of a tar file lies (ustar, pax and GNU long names), without reading the members. Names lose
 * leading `./` and `/`; of members with one name the last counts, as for tar(1). Fails `invalid` on damage; a member that
 * reaches beyond the end of the file is damage, too.
 */
export async function readTarIndex(handle: FileHandle, what: string): Promise<ReadonlyMap<string, TarMember>> {
  const { size: archiveBytes } = await handle.stat();
  const members = new Map<string, TarMember>();
  let extension: Extension = {};
  for (let at = 0; at + blockBytes <= archiveBytes; ) {
    const header = parseHeader(await readBytes(handle, at, blockBytes), what);
    if (header === undefined) break;
    const offset = at + blockBytes;
    const size = sizeOf(header, extension);
    if (offset + size > archiveBytes) throw malformed(what, 'it is cut off');
    at = offset + Math.ceil(size / blockBytes) * blockBytes;
    const next = await readExtension(handle, { header, offset, size, what });
    if (next === undefined) {
      members.set(cleanName(extension.name ?? header.name), { type: types[header.typeFlag] ?? 'other', offset, size, linkTo: extension.linkTo ?? header.linkTo });
      if (members.size > maxMembers) throw malformed(what, `it has more than ${String(maxMembers)} members`);
    }
    extension = next === undefined ? {} : { ...extension, ...next };
  }
  if (members.size === 0) throw malformed(what, 'it has no members');
  return members;
}

async function readBytes(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}

function cleanName(name: string): string {
  return name.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/** Octal digits, or base 256 when the top bit is set. */
function number(block: Buffer, [offset, length]: readonly [number, number], what: string): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = text(block, offset, length).trim();
    if (!/^[0-7]*$/.test(digits)) throw malformed(what, 'a header holds no number where one belongs');
    return digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  const value = BigInt(`0x${block.toString('hex', offset + 1, offset + length)}`);
  if (first !== 0x80 || value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(what, 'a header holds an impossible size');
  return Number(value);
}

/** The checksum counts its own field as spaces. */
function checksum(block: Buffer): number {
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 0x20 : byte), 0);
}

/** `undefined` for the block of zeros that ends an archive. */
function parseHeader(block: Buffer, what: string): Header | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block, [148, 8], what) !== checksum(block)) throw malformed(what, 'a header has a wrong checksum');
  const prefix = text(block, 257, 6) === 'ustar' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    typeFlag: String.fromCharCode(block[156] ?? 0),
    size: number(block, [124, 12], what),
    linkTo: text(block, 157, 100),
  };
}

/** Links, devices and directories have no bytes, whatever their header says. */
function sizeOf({ typeFlag, size }: Header, extension: Extension): number {
  return '123456'.includes(typeFlag) ? 0 : (extension.size ?? size);
}

interface ExtensionAt {
  readonly header: Header;
  readonly offset: number;
  readonly size: number;
  readonly what: string;
}

/** `undefined` when the header is of a member. */
async function readExtension(handle: FileHandle, { header, offset, size, what }: ExtensionAt): Promise<Extension | undefined> {
  if (!'xgLK'.includes(header.typeFlag)) return undefined;
  if (size > maxExtensionBytes) throw malformed(what, 'an extension header is too large');
  // What a global header says of all members (a comment, as git writes) is nothing that matters here.
  if (header.typeFlag === 'g') return {};
  const bytes = await readBytes(handle, offset, size);
  if (header.typeFlag === 'x') return parsePax(bytes, what);
  const long = text(bytes, 0, bytes.byteLength);
  return header.typeFlag === 'L' ? { name: long } : { linkTo: long };
}

/** Records are `LENGTH key=value\n`, where the length counts the whole record. */
function parsePax(bytes: Buffer, what: string): Extension {
  const found: { name?: string; linkTo?: string; size?: number } = {};
  for (let at = 0; at < bytes.byteLength; ) {
    const length = Number(/^(\d{1,7}) /.exec(bytes.toString('latin1', at, at + 8))?.[1] ?? '0');
    const record = bytes.toString('utf8', at, at + length);
    const match = /^\d+ ([^=]+)=([^]*)\n$/.exec(record);
    if (match === null || at + length > bytes.byteLength) throw malformed(what, 'a pax record is damaged');
    const [, key, value = ''] = match;
    if (key === 'path') found.name = value;
    if (key === 'linkpath') found.linkTo = value;
    if (key === 'size') found.size = paxSize(value, what);
    at += length;
  }
  return found;
}

function paxSize(value: string, what: string): number {
  const size = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(size)) throw malformed(what, 'a pax record holds an impossible size');
  return size;
}
