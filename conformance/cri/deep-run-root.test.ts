import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting } from './suite.ts';

/** Where shims listen whose own directories have names too long for sockets. */
const sharedDirectory = '/run/berth-shims';
const runRoot = mkdtempSync(join(tmpdir(), 'berth-run-directory-with-a-long-name-'));

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start({ run_root: runRoot });
});
afterAll(async () => {
  await suite?.close();
  rmSync(runRoot, { recursive: true });
});

const sockets = (): ReadonlySet<string> => new Set(existsSync(sharedDirectory) ? readdirSync(sharedDirectory) : []);

test('below a run root that is too deep for sockets, containers live as ever and take their sockets along', async () => {
  const before = sockets();
  const pod = await suite.pod();
  const containers = [await suite.run(pod, [...waiting]), await suite.run(pod, [...waiting])];
  const [own = '', other = ''] = [...sockets().difference(before)];
  for (const id of containers) expect((await suite.cri.execSync(id, ['echo', id])).stdout.toString()).toBe(`${id}\n`);
  await suite.node.kill();
  await suite.node.startAgain();
  for (const id of containers) expect((await suite.cri.execSync(id, ['echo', id])).stdout.toString()).toBe(`${id}\n`);
  await suite.node.removePods();
  expect([own, other].map((name) => [name.length, sockets().has(name)])).toEqual([[16, false], [16, false]]);
});
