/** A container that has the pod's log directory mounted, as log collectors do, makes of it what it likes. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { noHoldings } from '../fixtures/leaks.ts';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';

let suite: CriSuite;
let pod: SuitePod;
beforeAll(async () => {
  suite = await CriSuite.start();
});
beforeEach(async () => {
  pod = await suite.pod();
});
afterEach(async () => {
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
afterAll(async () => suite.close());

/** Runs a script in a container with the log directory at /logs. */
async function vandalise(script: string): Promise<void> {
  const mounts = [{ container_path: '/logs', host_path: pod.config.log_directory ?? '' }];
  const id = await suite.run(pod, ['sh', '-c', `${script} && touch /done; exec sleep 1000`], { mounts, log_path: 'vandal.log' });
  await expect.poll(async () => (await suite.cri.execSync(id, ['ls', '/done'])).exit_code).toBe(0);
}

const inPod = (name: string): string => join(pod.config.log_directory ?? '', name);
const treasure = (): string => join(suite.node.scratch.dir, 'treasure');

test.each([
  ['a FIFO', 'mkfifo /logs/0.log', 'no regular file'],
  ['a FIFO that somebody reads', 'mkfifo /logs/0.log && { cat /logs/0.log & } ', 'no regular file'],
  ['a device that is no terminal', 'mknod /logs/0.log c 1 3', 'no regular file'],
  ['a link to a file of the node', 'ln -s "$TREASURE" /logs/0.log', 'symbolic link'],
  ['a link to nothing', 'ln -s ../../none /logs/0.log', 'symbolic link'],
  ['a link to itself', 'ln -s 0.log /logs/0.log', 'symbolic link'],
  ['a directory', 'mkdir /logs/0.log', 'directory'],
])('%s in place of a log is refused at once, and nothing is written', async (_what, script, words) => {
  await vandalise(script.replace('"$TREASURE"', treasure()));
  const id = await suite.create(pod, ['echo', 'written'], { log_path: '0.log' });
  await expect(suite.cri.startContainer(id)).rejects.toMatchObject({ details: expect.stringMatching(new RegExp(words)) });
  expect(existsSync(treasure())).toBe(false);
});

test.each(['../0.log', '../../../0.log', 'main/../../0.log', '.', '..', 'main/..'])('the log path %s, which leads out of the log directory, is refused', async (path) => {
  await expect(suite.create(pod, ['echo', 'written'], { log_path: path })).rejects.toMatchObject({ code: 3, details: expect.stringContaining('does not lead below') });
});

test('neither is a link on the way to the log followed, nor a directory made behind it', async () => {
  await vandalise(`ln -s ${suite.node.scratch.dir} /logs/main`);
  const id = await suite.create(pod, ['echo', 'written'], { log_path: 'main/deep/0.log' });
  await expect(suite.cri.startContainer(id)).rejects.toMatchObject({ details: expect.stringMatching(/is no directory/) });
  expect(existsSync(join(suite.node.scratch.dir, 'deep'))).toBe(false);
});

test('a link that is put there before a rotation is refused, and the old file stays in use', async () => {
  const id = await suite.run(pod, ['sh', '-c', 'while :; do echo line; sleep 0.05; done'], { log_path: '0.log' });
  await vandalise(`mv /logs/0.log /logs/old.log && ln -s ${treasure()} /logs/0.log`);
  await expect(suite.cri.call('ReopenContainerLog', { container_id: id })).rejects.toMatchObject({ details: expect.stringMatching(/symbolic link/) });
  const before = readFileSync(inPod('old.log')).length;
  await expect.poll(() => readFileSync(inPod('old.log')).length).toBeGreaterThan(before);
  expect(existsSync(treasure())).toBe(false);
});

test('a log directory that the node’s owner has elsewhere is as good as any', async () => {
  const elsewhere = join(suite.node.scratch.dir, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(suite.node.scratch.dir, 'linked'));
  const linked = await suite.pod({ metadata: { name: 'linked', namespace: 'default', uid: 'linked', attempt: 0 }, log_directory: join(suite.node.scratch.dir, 'linked/pod') });
  const id = await suite.run(linked, ['sh', '-c', 'echo first; trap "echo second; exit" TERM; while :; do sleep 0.05; done'], { log_path: 'main/0.log' });
  const log = join(elsewhere, 'pod/main/0.log');
  await expect.poll(() => readFileSync(log, 'utf8')).toContain('first');
  expect((await suite.cri.containerStatus(id)).log_path).toBe(join(suite.node.scratch.dir, 'linked/pod/main/0.log'));
  renameSync(log, `${log}.1`);
  await suite.cri.call('ReopenContainerLog', { container_id: id });
  await suite.cri.stopContainer(id, 10);
  expect(readFileSync(log, 'utf8')).toContain('second');
  rmSync(elsewhere, { recursive: true });
});

test('a container goes on, stops and is removed, whatever becomes of its log', async () => {
  const id = await suite.run(pod, [...waiting], { log_path: '0.log' });
  await vandalise('rm /logs/0.log && mkfifo /logs/0.log');
  await suite.cri.stopContainer(id, 10);
  expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_EXITED');
  await suite.cri.removeContainer(id);
});
