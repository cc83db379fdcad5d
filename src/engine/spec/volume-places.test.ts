import { expect, test } from 'vitest';
import { volumePlaces } from './volume-places.ts';

test('one place for all that lead there, and none inside of another', () => {
  expect(volumePlaces(['/data', '/b', '/data', '/data/sub/x', '/data-2', '/data/sub'], [])).toEqual(['/b', '/data', '/data-2']);
});

test.each(['/', '/proc', '/proc/sys', '/sys', '/sys/fs/cgroup', '/dev', '/dev/shm', '/dev/pts/x', '/etc/hosts', '/etc/resolv.conf', '/etc/hostname'])('what berth mounts itself stays at %s', (path) => {
  expect(volumePlaces([path], [])).toEqual([]);
});

test.each(['/etc', '/process', '/devices', '/etc/hosts.d', '/run'])('%s is nobody\'s', (path) => {
  expect(volumePlaces([path], [])).toEqual([path]);
});

test('mounts of the request come first, and what they hide of a volume is no part of it', () => {
  expect(volumePlaces(['/data', '/data/sub'], ['/data'])).toEqual(['/data/sub']);
  expect(volumePlaces(['/data', '/data/in/x'], ['/data/in'])).toEqual(['/data', '/data/in/x']);
  expect(volumePlaces(['/data', '/data/x'], ['/data/in'])).toEqual(['/data']);
});
