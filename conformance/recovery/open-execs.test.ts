import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CriSuite } from '../cri/suite.ts';
import { cgroupProcesses } from '../fixtures/cgroups.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';
import { StreamingClient } from '../streaming/streaming-client.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping open execs: ${unbuildable}`);

describe.skipIf(unbuildable !== undefined)('open execs', () => {
  let suite: CriSuite;
  beforeAll(async () => {
    await buildPeers(['streaming-client']);
    suite = await CriSuite.start();
  }, 900_000);
  afterAll(async () => suite?.close());

  const processesOf = (id: string): readonly number[] => cgroupProcesses(`${suite.node.scratch.cgroup}/${id}`);

  async function openExec(id: string, streams: object): Promise<StreamingClient> {
    const { url } = await suite.cri.call<{ readonly url: string }>('Exec', { container_id: id, cmd: ['sleep', '4326'], ...streams });
    return new StreamingClient(url, { transport: 'spdy', streams });
  }

  test('end with the berthd that served them, and the container does not', async () => {
    const pod = await suite.pod();
    const id = await suite.run(pod, ['sleep', '1000'], { metadata: { name: randomUUID() } });
    const [main] = processesOf(id);
    const clients = [await openExec(id, { stdin: true, stdout: true, tty: true }), await openExec(id, { stdout: true, stderr: true })];
    const synchronous = suite.cri.execSync(id, ['sleep', '4326'], 60).catch(() => undefined);
    await expect.poll(() => processesOf(id)).toHaveLength(4);
    await suite.node.kill();
    await synchronous;
    await Promise.all(clients.map(async ({ result }) => result));
    await sleep(200);
    expect(processesOf(id)).toHaveLength(4);
    await suite.node.startAgain();
    await expect.poll(() => processesOf(id), { timeout: 5000 }).toEqual([main]);
    expect((await suite.cri.containerStatus(id)).state).toBe('CONTAINER_RUNNING');
    expect((await suite.cri.execSync(id, ['echo', 'well'])).stdout.toString()).toBe('well\n');
  });
});
