import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseContainer } from '../engine/stores/container-record.ts';
import { parsePod } from '../engine/stores/pod-record.ts';
import { openState } from '../state/open-state.ts';
import type { StateStore } from '../state/port.ts';
import { migrations } from './migrations.ts';

/** What a berthd of schema version 1 wrote: pods of every kind and containers in every state. */
const records = JSON.parse(readFileSync(join(import.meta.dirname, 'testing/records-v1.json'), 'utf8')) as readonly { readonly kind: string; readonly id: string; readonly value: object }[];

let root: string;
let state: StateStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-migrations-'));
  const db = new DatabaseSync(join(root, 'meta.db'));
  db.exec(readFileSync(join(import.meta.dirname, '../state/testing/v1.sql'), 'utf8'));
  db.exec('DELETE FROM record');
  for (const { kind, id, value } of records) db.prepare('INSERT INTO record VALUES (?, ?, ?)').run(kind, id, JSON.stringify(value));
  db.close();
  state = openState(root, { warn: fail, error: fail }, migrations);
});

afterEach(() => {
  state.close();
  rmSync(root, { recursive: true });
});

function fail(_fields: object, message: string): never {
  throw new Error(message);
}

test('pods of schema version 1 are who they were, for their door and for CNI plugins', () => {
  const pods = state.load('pod').map(({ id, value }) => parsePod(id, value));
  expect(pods.map(({ state: word }) => word).toSorted()).toEqual(['notready', 'ready', 'ready', 'ready']);
  expect(pods.find(({ config }) => config.hostname === 'web')?.config).toMatchObject({
    owner: 'cri',
    key: 'default/web/uid-web/1',
    title: 'default/web',
    plugins: { name: 'web', namespace: 'default', uid: 'uid-web' },
    door: { metadata: { name: 'web', namespace: 'default', uid: 'uid-web', attempt: 1 } },
    networkHints: {
      args: { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'web', K8S_POD_UID: 'uid-web' },
      idArg: 'K8S_POD_INFRA_CONTAINER_ID',
      annotationsAs: 'io.kubernetes.cri.pod-annotations',
      capabilities: { bandwidth: { ingressRate: 10_000_000, ingressBurst: 10_000_000 } },
    },
  });
});

test('containers of schema version 1 are whole', () => {
  const containers = state.load('container').map(({ id, value }) => parseContainer(id, value));
  expect(containers.every(({ owner }) => owner === 'cri')).toBe(true);
  expect(containers.map(({ config }) => config.name).toSorted()).toEqual(['bad', 'created', 'done', 'ended', 'failed', 'on-host', 'running', 'sharing']);
});
