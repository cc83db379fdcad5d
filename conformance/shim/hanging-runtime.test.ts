/** OCI runtimes that hang behind shims of others: each costs its own container only, and leaves nothing. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { sleepersOf } from '../fixtures/sleepers.ts';
import { buildPeers, peerPath, whyNotBuildable } from '../peers/build.ts';

const handler = 'foreign';
const naps = '4326';
/** Sleeps, also in a child with a session of its own, where a file says so for the command. */
const runtime = String.raw`#!/bin/sh
dir=$(dirname "$(readlink -f "$0")")
for word; do
  case $word in create|start|kill|delete|exec)
    if [ -e "$dir/hang-$word" ]; then setsid sleep ${naps} & sleep ${naps}; fi; break;;
  esac
done
exec /usr/sbin/runc "$@"
`;

describe.each(['containerd-shim-runc-v2'] as const)('behind %s', (program) => {
  const unbuildable = whyNotBuildable(program);
  if (unbuildable !== undefined) {
    console.log(`skipping runtimes that hang behind ${program}: ${unbuildable}`);
    test.skip(unbuildable, () => undefined);
    return;
  }
  let suite: CriSuite;
  let directory: string;

  /** The runtime's processes: the shim marks them in their environment. */
  const sleepers = (): readonly string[] => sleepersOf(naps, 'BERTH_CONTAINER=');

  const hang = (verbs: readonly string[]): void => {
    for (const verb of verbs) writeFileSync(join(directory, `hang-${verb}`), '');
  };

  async function goes(pod: SuitePod): Promise<void> {
    await suite.cri.stopPod(pod.id);
    await suite.cri.removePod(pod.id);
    await expect.poll(sleepers, { timeout: 10_000 }).toEqual([]);
    expect(await suite.node.leaks(5000)).toEqual(noHoldings);
  }

  beforeAll(async () => {
    await buildPeers([program]);
    directory = mkdtempSync(join(tmpdir(), 'berth-hang-'));
    writeFileSync(join(directory, 'runtime'), runtime);
    chmodSync(join(directory, 'runtime'), 0o755);
    suite = await CriSuite.start({ runtimes: { [handler]: { shim: peerPath(program), runtime: join(directory, 'runtime'), protocol: 'containerd' } } });
  }, 900_000);
  afterEach(async () => {
    for (const name of readdirSync(directory).filter((file) => file.startsWith('hang-'))) rmSync(join(directory, name));
    await suite.node.removePods();
  }, 120_000);
  afterAll(async () => {
    await suite?.close();
    for (const pid of sleepers()) process.kill(Number(pid), 'SIGKILL');
    rmSync(directory, { recursive: true });
  });

  test.each([[['create']], [['start']], [['create', 'delete']], [['start', 'kill', 'delete']]])('a start that hangs in %j ends at its deadline, and its pod goes', async (verbs) => {
    const pod = await suite.pod({}, handler);
    const id = await suite.create(pod, waiting);
    hang(verbs);
    const start = suite.cri.call('StartContainer', { container_id: id }, 5000);
    const late = expect(start).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
    await expect.poll(() => sleepers().length, { timeout: 5000 }).toBeGreaterThan(0);
    const other = await suite.pod({ metadata: { name: 'other', namespace: 'default', uid: 'other', attempt: 0 } });
    await suite.run(other, waiting);
    await late;
    await suite.cri.removePod(other.id);
    await goes(pod);
  }, 180_000);

  test.each([[['kill']], [['delete']], [['kill', 'delete']]])('a container is stopped whose runtime hangs in %j, and its pod goes', async (verbs) => {
    const pod = await suite.pod({}, handler);
    const id = await suite.run(pod, waiting);
    hang(verbs);
    await suite.cri.stopContainer(id, 1);
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED' });
    await goes(pod);
  }, 180_000);

  test('an exec that hangs ends at its deadline, and its pod goes', async () => {
    const pod = await suite.pod({}, handler);
    const id = await suite.run(pod, waiting);
    hang(['exec']);
    await expect(suite.cri.call('ExecSync', { container_id: id, cmd: ['true'], timeout: '2' })).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED, details: expect.stringContaining('timed out after 2 s') });
    await goes(pod);
  }, 180_000);
});
