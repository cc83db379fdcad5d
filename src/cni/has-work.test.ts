import { expect, test } from 'vitest';
import { parseConfigList } from './config-list.ts';
import { hasWork } from './has-work.ts';
import type { CniAttachment } from './port.ts';

const plugins = [{ type: 'loopback' }, { type: 'bridge' }, { type: 'portmap' }, { type: 'bandwidth' }, { type: 'bandwidth', ingressRate: 1 }];
const list = parseConfigList(JSON.stringify({ cniVersion: '1.0.0', name: 'n', plugins }), 'the list');
const plain: CniAttachment = { id: 'p', netnsPath: '/n', args: {}, portMappings: [], capabilities: {} };
const working = (attachment: CniAttachment): readonly boolean[] => list.plugins.map((plugin) => hasWork(plugin, attachment));

test('plugins that only carry out runtime values are idle without one', () => {
  expect(working(plain)).toEqual([false, true, false, false, true]);
});

test('a value gives them work', () => {
  const portMappings = [{ hostPort: 80, containerPort: 80, protocol: 'tcp', hostIp: '' }] as const;
  expect(working({ ...plain, portMappings })).toEqual([false, true, true, false, true]);
  expect(working({ ...plain, capabilities: { bandwidth: { ingressRate: 5 } } })).toEqual([false, true, false, true, true]);
});
