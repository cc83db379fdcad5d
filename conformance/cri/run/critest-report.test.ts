import { expect, test } from 'vitest';
import { faultsOf, tally } from './critest-report.ts';

const spec = (text: string, state: string, message?: string): object => ({
  ContainerHierarchyTexts: ['[k8s.io] Container'],
  LeafNodeType: 'It',
  LeafNodeText: text,
  State: state,
  ...(message === undefined ? {} : { Failure: { Message: message } }),
});
const setup = (state: string): object => ({ ContainerHierarchyTexts: null, LeafNodeType: 'BeforeSuite', LeafNodeText: '', State: state });
const told = (...nodes: readonly object[]): ReturnType<typeof tally> => tally(JSON.parse(JSON.stringify([{ SpecReports: nodes }])) as Parameters<typeof tally>[0]);
const excuses = [{ spec: /idmapped/, why: /^too old$/ }];

test('specs are counted, and what surrounds them is not', () => {
  expect(told(setup('passed'), spec('a', 'passed'), spec('b', 'skipped', 'no'), spec('c', 'panicked', 'oops'))).toEqual({
    passed: 1,
    skipped: [{ spec: '[k8s.io] Container b', why: 'no' }],
    failed: [{ spec: '[k8s.io] Container c', why: 'oops' }],
  });
});

test('a skipped spec needs an excuse for its name and for its reason', () => {
  expect(faultsOf(told(spec('a', 'passed'), spec('idmapped', 'skipped', 'too old')), excuses)).toEqual([]);
  expect(faultsOf(told(spec('a', 'passed'), spec('idmapped', 'skipped', 'no image')), excuses)).toEqual(['skipped without an excuse: [k8s.io] Container idmapped: no image']);
  expect(faultsOf(told(spec('a', 'passed'), spec('plain', 'skipped', 'too old')), excuses)).toEqual(['skipped without an excuse: [k8s.io] Container plain: too old']);
});

test('a failed spec, a failed set-up and a run of nothing are faults', () => {
  expect(faultsOf(told(spec('a', 'passed'), spec('b', 'timedout', 'late')), excuses)).toEqual(['failed: [k8s.io] Container b: late']);
  expect(faultsOf(told(setup('failed')), excuses)).toEqual(['failed: BeforeSuite: ', 'no spec passed']);
});
