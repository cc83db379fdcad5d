import { expect, test } from 'vitest';
import { cgroupsPath, containerDirectory, parentDirectory, parentProblem } from './cgroups-path.ts';

test.each([
  ['/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice', '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice'],
  ['kubepods-burstable-pod1_2.slice', '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice'],
  ['my-test.slice', '/my.slice/my-test.slice'],
  ['/a/b/test.slice/', '/test.slice'],
  ['berth.slice', '/berth.slice'],
  ['-.slice', '/'],
])('systemd keeps the slice %s in %s', (parent, directory) => {
  expect(parentProblem('systemd', parent)).toBeUndefined();
  expect(parentDirectory('systemd', parent)).toBe(directory);
  expect(cgroupsPath('systemd', parent, 'c1')).toBe(`${parent.split('/').findLast((part) => part !== '')}:berth:c1`);
  expect(containerDirectory('systemd', parent, 'c1')).toBe(`${directory}/berth-c1.scope`.replace('//', '/'));
});

test.each([
  ['/kubepods//burstable/pod1/', '/kubepods/burstable/pod1'],
  ['berth', '/berth'],
  ['/', '/'],
])('cgroupfs takes the path %s as it is', (parent, directory) => {
  expect(parentProblem('cgroupfs', parent)).toBeUndefined();
  expect(parentDirectory('cgroupfs', parent)).toBe(directory);
  expect(cgroupsPath('cgroupfs', parent, 'c1')).toBe(`${directory}/c1`.replace('//', '/'));
  expect(containerDirectory('cgroupfs', parent, 'c1')).toBe(cgroupsPath('cgroupfs', parent, 'c1'));
});

test.each(['/kubepods/burstable', '/test', '/', 'my_test', '/a.slice/b', 'a--b.slice', '-a.slice', 'a-.slice', '.slice', 'a b.slice', 'x.scope'])('%s is no slice for systemd', (parent) => {
  expect(parentProblem('systemd', parent)).toContain('name of a slice');
});

test.each(['/kubepods.slice', 'kubepods-burstable.slice', '/a/b-c.slice/'])('%s is a slice that cgroupfs would make a directory of', (parent) => {
  expect(parentProblem('cgroupfs', parent)).toContain('slice of systemd');
});

test.each(['/../etc', '/a/./b', 'a:b:c'])('%s leads elsewhere than it seems', (parent) => {
  expect(parentProblem('cgroupfs', parent)).toContain('no part of its path');
});
