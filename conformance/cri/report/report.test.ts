import { expect, test } from 'vitest';
import { fieldsSet, loadRpcs } from './contract.ts';
import { merge, noEvidence, withOutcome, withUse } from './evidence.ts';
import { judgeRequests, judgeRpcs, strayStatuses } from './judge.ts';
import { renderReport } from './render.ts';

const rpcs = loadRpcs();
const rpc = (name: string): (typeof rpcs)[number] => {
  const found = rpcs.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

test('fields count as set at any depth, and with another value than their default', () => {
  const config = { metadata: { name: 'a', namespace: '' }, labels: { a: 'b' }, port_mappings: [{ protocol: 'UDP' }, { protocol: 0 }], hostname: '' };
  const set = fieldsSet(rpc('RunPodSandbox').request, { config, runtime_handler: '' });
  expect([...set].toSorted()).toEqual([
    'PodSandboxConfig.labels',
    'PodSandboxConfig.metadata',
    'PodSandboxConfig.port_mappings',
    'PodSandboxMetadata.name',
    'PortMapping.protocol',
    'RunPodSandboxRequest.config',
  ]);
});

test('the order of a run does not show', () => {
  const a = { ...noEvidence, sent: withUse({}, 'M.f', 'b'), outcomes: withOutcome({}, 'Version', { code: 'OK', test: 'z' }) };
  const b = { ...noEvidence, sent: withUse({}, 'M.f', 'a'), outcomes: withOutcome({}, 'Version', { code: 'OK', test: 'y' }) };
  expect(merge(a, b)).toEqual(merge(b, a));
  expect(merge(a, b).sent).toEqual({ 'M.f': 'a' });
});

test('a call or field that no test used is missing, one that was used is not', () => {
  const evidence = { ...noEvidence, sent: { 'ExecSyncRequest.cmd': 'here' }, outcomes: { ExecSync: { OK: 'here', NOT_FOUND: 'there' } } };
  const [call] = judgeRpcs([rpc('ExecSync')], evidence);
  expect(call).toEqual({ name: 'ExecSync', status: 'answers; also seen: NOT_FOUND', shown: 'here', missing: undefined });
  const fields = judgeRequests([rpc('ExecSync')], evidence);
  expect(fields.map(({ name, missing }) => [name, missing === undefined])).toEqual([
    ['ExecSyncRequest.cmd', true],
    ['ExecSyncRequest.container_id', false],
    ['ExecSyncRequest.timeout', false],
  ]);
});

test('the tables name what the contract has', () => {
  expect(strayStatuses(rpcs)).toEqual([]);
});

test('a report is a table for each section', () => {
  const finding = { name: 'M.f', status: 'honoured', shown: 'a | b', missing: undefined };
  expect(renderReport([{ title: 'Calls', findings: [finding] }])).toContain('## Calls\n\n| name | status | shown by, for example |\n|---|---|---|\n| `M.f` | honoured | a \\| b |\n');
});
