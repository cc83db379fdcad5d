import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CriSuite } from '../cri/suite.ts';

let suite: CriSuite;
let directory: string;

function inside(...command: readonly [string, ...string[]]): void {
  const [program, ...args] = suite.node.namespace.enter(command);
  execFileSync(program, args);
}

/** As the daemon and its shims see it. */
const seen = (path: string): string => join('/proc', String(suite.node.namespace.pid), 'root', path);

beforeAll(async () => {
  suite = await CriSuite.start();
  directory = join(suite.node.scratch.dir, 'small');
  mkdirSync(directory);
  inside('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory);
});
afterEach(async () => {
  await suite.node.removePods();
});
afterAll(async () => {
  inside('umount', directory);
  await suite?.close();
});

test('a full disk under the log loses lines, and neither stops nor slows the container', async () => {
  const pod = await suite.pod({ log_directory: directory });
  const status = await suite.finish(pod, ['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "line $i of many that do not fit"; done; exit 7']);
  expect(status).toMatchObject({ exit_code: 7, reason: 'Error' });
  expect(statSync(seen(status.log_path)).size).toBeGreaterThan(32 << 10);
});

test('with space again lines are logged again, each whole', async () => {
  const pod = await suite.pod({ log_directory: directory });
  const id = await suite.run(pod, ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "number $i"; [ $i -lt 5000 ] || sleep 0.02; done']);
  const path = seen((await suite.cri.containerStatus(id)).log_path);
  await suite.cri.execSync(id, ['sleep', '1']);
  for (const name of readdirSync(seen(directory))) rmSync(join(seen(directory), name));
  await suite.cri.call('ReopenContainerLog', { container_id: id });
  await expect.poll(() => statSync(path).size, { timeout: 10_000 }).toBeGreaterThan(500);
  await suite.cri.stopContainer(id, 0);
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) expect(line).toMatch(/^\S+ stdout F number \d+$/);
});
