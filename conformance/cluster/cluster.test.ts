import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../fixtures/free-port.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';
import { Cluster, clusterPeers } from './cluster.ts';
import { webDeployment } from './manifests.ts';
import { remainsOf, type Traces } from './remains.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping the cluster suite: ${unbuildable}`);

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: { readonly podIP: string };
}

/** What a cluster is for, in the time that every run has. The rest is in the folder `long`. */
describe.skipIf(unbuildable !== undefined)('a real cluster on berth', () => {
  let cluster: Cluster;
  let traces: Traces;

  beforeAll(async () => {
    await buildPeers(clusterPeers);
    cluster = await Cluster.start();
    ({ traces } = cluster);
  }, 1_800_000);
  afterAll(async () => cluster?.close());

  const pods = async (): Promise<readonly Pod[]> => (await cluster.kubectl.list<Pod>('pods', 'app=web')).filter(({ metadata }) => metadata.deletionTimestamp === undefined);

  test('twenty pods become available', async () => {
    const began = Date.now();
    await cluster.kubectl.apply(webDeployment(cluster.busybox));
    await cluster.kubectl.run(['rollout', 'status', 'deployment/web']);
    console.log(`20 pods available ${Date.now() - began} ms after apply`);
    expect(await pods()).toHaveLength(20);
  });

  test('each answers at its address, with its name', async () => {
    for (const { metadata, status } of await pods()) expect(await (await fetch(`http://${status.podIP}/`)).text()).toBe(`${metadata.name}\n`);
  });

  test('they say in their logs that they started', async () => {
    const lines = (await cluster.kubectl.run(['logs', '-l', 'app=web', '--prefix', '--max-log-requests=20'])).trim().split('\n').toSorted();
    expect(lines).toEqual((await pods()).map(({ metadata }) => `[pod/${metadata.name}/web] web starts`).toSorted());
  });

  describe('into one of them', () => {
    let name: string;
    beforeAll(async () => {
      name = (await pods())[0]?.metadata.name ?? '';
    });

    test('exec carries stdin, stdout, stderr and the exit code', async () => {
      const ending = await cluster.kubectl.attempt(['exec', '-i', name, '--', 'sh', '-c', 'cat; hostname; echo wrong >&2; exit 42'], { input: 'from here\n' });
      expect(ending).toMatchObject({ code: 42, stdout: `from here\n${name}\n` });
      expect(ending.stderr).toContain('wrong\n');
    });

    test('cp brings a file there and back', async () => {
      const [there, back] = [join(cluster.directory, 'there'), join(cluster.directory, 'back')];
      const bytes = randomBytes(3 << 20);
      writeFileSync(there, bytes);
      await cluster.kubectl.run(['cp', there, `${name}:/tmp/copied`]);
      await cluster.kubectl.run(['cp', `${name}:/tmp/copied`, back]);
      expect(readFileSync(back).equals(bytes)).toBe(true);
    });

    test('port-forward reaches its server', async () => {
      const port = await freePort();
      await using _ = await cluster.kubectl.background(['port-forward', `pod/${name}`, `${port}:80`], { ready: /Forwarding from 127/ });
      for (let times = 0; times < 3; times += 1) expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(`${name}\n`);
    });
  });

  test('a new version replaces them all', async () => {
    const before = new Set((await pods()).map(({ metadata }) => metadata.name));
    await cluster.kubectl.apply(webDeployment(cluster.busybox, '2'));
    await cluster.kubectl.run(['rollout', 'status', 'deployment/web']);
    const after = (await pods()).map(({ metadata }) => metadata.name);
    expect(after).toHaveLength(20);
    expect(after.filter((name) => before.has(name))).toEqual([]);
  });

  test('a deployment that is gone leaves nothing on the node', async () => {
    await cluster.kubectl.run(['delete', 'deployment/web', '--cascade=foreground']);
    await cluster.kubectl.run(['wait', '--for=delete', 'pod', '-l', 'app=web']);
    // The kubelet clears up in rounds of its own.
    expect(await cluster.node.leaks(90_000)).toEqual(noHoldings);
  }, 150_000);

  test('a cluster that is taken down leaves nothing on the machine', async () => {
    await cluster.close();
    expect(remainsOf(traces)).toEqual([]);
  });
});
