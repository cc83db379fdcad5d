import { asObject, countField, objectField, stringField, type JsonObject } from '../../lib/json-fields.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import { BerthError } from '../../lib/errors.ts';
import type { Usage } from '../../agent/port.ts';
import type { SnapshotInfo, SnapshotKind } from '../port.ts';

/** A snapshot and the number that its directory has. */
export interface Snapshot {
  readonly info: SnapshotInfo;
  readonly dir: number;
}

/** As kept in the state store under the snapshot's key. */
interface SnapshotRecord {
  readonly dir: number;
  readonly kind: SnapshotKind;
  readonly parent?: string;
  /** Decimal: JSON numbers are too short. */
  readonly createdAtNs: string;
  readonly usage?: Usage;
  readonly durable?: true;
}

export function toRecord({ info, dir }: Snapshot): SnapshotRecord {
  const { kind, parent, createdAtNs, usage, durable } = info;
  return { dir, kind, createdAtNs: createdAtNs.toString(), ...(parent !== undefined && { parent }), ...(usage !== undefined && { usage }), ...(durable && { durable }) };
}

/** @throws BerthError `invalid` for anything that toRecord did not make. */
export function fromRecord(key: SnapshotKey, value: unknown): Snapshot {
  const what = `snapshot ${key}`;
  const record = asObject(value, what);
  const parent = stringField(record, 'parent', what);
  const info: SnapshotInfo = {
    key,
    kind: kindOf(record, what),
    parent: parent === '' ? undefined : (parent as SnapshotKey),
    createdAtNs: timeOf(record, what),
    usage: usageOf(record, what),
    durable: record['durable'] === true,
  };
  return { info, dir: countField(record, 'dir', what) };
}

function kindOf(record: JsonObject, what: string): SnapshotKind {
  const kind = stringField(record, 'kind', what);
  if (kind === 'active' || kind === 'committed') return kind;
  throw new BerthError('invalid', `${what} is of the unknown kind "${kind}"`);
}

function timeOf(record: JsonObject, what: string): bigint {
  const text = stringField(record, 'createdAtNs', what);
  if (!/^\d+$/.test(text)) throw new BerthError('invalid', `${what}: "createdAtNs" is no time`);
  return BigInt(text);
}

function usageOf(record: JsonObject, what: string): Usage | undefined {
  const usage = objectField(record, 'usage', what);
  return usage === undefined ? undefined : { bytes: countField(usage, 'bytes', what), inodes: countField(usage, 'inodes', what) };
}
