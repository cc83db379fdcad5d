import { expect, test } from 'vitest';
import { expectNothingMoreThan, holdings } from '../holdings.ts';
import type { DebianNode } from '../node.ts';
import { httpd } from '../payload.ts';

/** What the demo shows: network, log, exec, stats and trace of one pod. */
export function mainJob(node: () => DebianNode): void {
  test.each(['crun', 'runc'])('a pod under %s answers over its network, logs, takes an exec, has stats and a trace, and goes without a trace', async (handler) => {
    const before = await holdings(node());
    const pod = await node().pod({ handler });
    const container = await node().start(pod, [], { image: httpd });
    const { network } = await node().cri.podStatus(pod.id);
    const get = `exec 3<>/dev/tcp/${network?.ip ?? ''}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
    await expect.poll(async () => node().run(get).catch(String), { timeout: 60_000, interval: 1000 }).toContain('berth fixture');
    expect(await node().run(`berth logs ${container}`)).toContain('httpd starts');
    expect(await node().run(`berth exec ${container} id -u`)).toBe('0\n');
    const { cpu, memory } = await node().cri.containerStats(container);
    expect(Number(cpu?.usage_core_nano_seconds?.value)).toBeGreaterThan(0);
    expect(Number(memory?.working_set_bytes?.value)).toBeGreaterThan(0);
    expect(await node().run(`berth trace ${pod.id}`)).toMatch(/cni/i);
    await node().removePods();
    await expectNothingMoreThan(before, node());
  });
}
