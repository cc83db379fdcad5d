/** Pods whose OCI runtime is no relative of runc's: gVisor's runsc, under berth-shim and berthd. */
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CriSuite, waiting } from '../cri/suite.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { runsc, whyNoRunsc } from '../fixtures/runsc.ts';

const handler = 'gvisor';

describe('berthd runs pods with runsc', () => {
  const absent = whyNoRunsc();
  if (absent !== undefined) {
    console.log(`skipping pods with runsc: ${absent}`);
    test.skip(absent, () => undefined);
    return;
  }
  let suite: CriSuite;

  beforeAll(async () => {
    suite = await CriSuite.start({ runtimes: { [handler]: { runtime: runsc } } });
  });
  afterAll(async () => suite?.close());

  test('output, exit code, exec, stats and stop', async () => {
    const pod = await suite.pod({}, handler);
    const ended = await suite.finish(pod, ['sh', '-c', 'echo out; echo err >&2; dmesg; exit 7'], { metadata: { name: 'short' } });
    expect(ended).toMatchObject({ exit_code: 7, reason: 'Error' });
    const log = readFileSync(ended.log_path, 'utf8');
    expect(log).toMatch(/ stdout F out\n/);
    expect(log).toMatch(/ stderr F err\n/);
    expect(log).toContain('Starting gVisor');
    const id = await suite.run(pod, waiting, { metadata: { name: 'long' } });
    const result = await suite.cri.execSync(id, ['sh', '-c', 'echo hi; exit 3']);
    expect([result.stdout.toString(), result.exit_code]).toEqual(['hi\n', 3]);
    const { cpu, memory } = await suite.cri.containerStats(id);
    expect(Number(cpu?.usage_core_nano_seconds?.value)).toBeGreaterThan(0);
    expect(Number(memory?.working_set_bytes?.value)).toBeGreaterThan(0);
    await suite.cri.stopContainer(id, 10);
    expect(await suite.cri.containerStatus(id)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 0 });
  });

  // It gives the streams that it begins with to nobody.
  test('the node’s /dev/null stays root’s, and nothing is left', async () => {
    const { uid, gid, mode } = statSync('/dev/null');
    expect({ uid, gid, mode: (mode & 0o777).toString(8) }).toEqual({ uid: 0, gid: 0, mode: '666' });
    await suite.node.removePods();
    expect(await suite.node.leaks(5000)).toEqual(noHoldings);
  });
});
