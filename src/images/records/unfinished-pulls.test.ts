import { beforeEach, expect, test } from 'vitest';
import type { SnapshotKey } from '../../lib/ids.ts';
import { digestOf } from '../../oci/digest.ts';
import type { StateStore } from '../../state/port.ts';
import { UnfinishedPulls } from './unfinished-pulls.ts';

const dayNs = 24n * 3600n * 1_000_000_000n;
const stored = new Map<string, unknown>();
const quarantined: string[] = [];
let nowNs = 0n;

const state: StateStore = {
  rebooted: false,
  bootSeen: () => undefined,
  load: () => [...stored].map(([id, value]) => ({ id, value })),
  put: (_kind, id, value) => stored.set(id, JSON.parse(JSON.stringify(value))),
  delete: (_kind, id) => stored.delete(id),
  quarantine: (_kind, id) => quarantined.push(id),
  transaction: (work) => {
    work();
  },
  close: () => undefined,
};
const clock = { nowNs: () => nowNs, monotonicMs: () => 0 };
const needs = (name: string): { digests: readonly ReturnType<typeof digestOf>[]; snapshots: readonly SnapshotKey[] } => ({ digests: [digestOf(name)], snapshots: [`chain-${name}` as SnapshotKey] });
const open = (): UnfinishedPulls => {
  const opened = new UnfinishedPulls(state, clock);
  opened.load();
  return opened;
};

beforeEach(() => {
  stored.clear();
  quarantined.length = 0;
  nowNs = 10n * dayNs;
});

test('what a pull needs is kept over a restart, for a day', () => {
  open().begin('app', needs('a'));
  expect(open().needs()).toMatchObject([needs('a')]);
  nowNs += dayNs + 1n;
  expect(open().needs()).toEqual([]);
  expect(stored.size).toBe(0);
});

test('of failed attempts at one reference only the newest is kept', () => {
  const pulls = open();
  pulls.interrupted(pulls.begin('app', needs('old')));
  pulls.interrupted(pulls.begin('other', needs('other')));
  pulls.interrupted(pulls.begin('app', needs('new')));
  expect(pulls.needs().map(({ digests }) => digests[0])).toEqual([digestOf('other'), digestOf('new')]);
});

test('success forgets all attempts, giving up only its own', () => {
  const pulls = open();
  pulls.interrupted(pulls.begin('app', needs('failed')));
  pulls.end(pulls.begin('app', needs('canceled')));
  expect(pulls.needs()).toHaveLength(1);
  pulls.begin('app', needs('good'));
  pulls.complete('app');
  expect(pulls.needs()).toEqual([]);
  expect(stored.size).toBe(0);
});

test('an unreadable record is quarantined', () => {
  stored.set('bad', { reference: 1 });
  expect(open().needs()).toEqual([]);
  expect(quarantined).toEqual(['bad']);
});
