/** Requests for pods that are refused before anything is made. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterAll(async () => suite?.close());

test('a sysctl of an interface that the network has not made is refused, and a hostname in the network of the node', async () => {
  const sysctls = { 'net.ipv4.conf.eth7.rp_filter': '0' };
  await expect(suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, sysctls } })).rejects.toMatchObject({ details: expect.stringContaining('eth7') });
  const linux = { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } } };
  await expect(suite.pod({ hostname: 'mine', linux } as never)).rejects.toMatchObject({ code: 3, details: expect.stringContaining('"mine"') });
});

test.each([
  ['a hostname', { hostname: 'a\nb' }],
  ['a hostname that is too long', { hostname: 'a'.repeat(65) }],
  ['a name server', { dns_config: { servers: ['192.0.2.1\nnameserver 192.0.2.66'] } }],
  ['a search domain', { dns_config: { searches: ['a\nnameserver 192.0.2.66'] } }],
  ['an option', { dns_config: { options: ['ndots:5\0'] } }],
  ['a relative log directory', { log_directory: 'logs' }],
  ['a name with a NUL', { metadata: { name: 'a\0b', namespace: 'default', uid: 'nul', attempt: 0 } }],
])('%s that would be more than it says is refused, and no pod is left', async (_what, over) => {
  await expect(suite.pod(over as never)).rejects.toMatchObject({ code: 3 });
  expect(await suite.cri.listPods()).toEqual([]);
});
