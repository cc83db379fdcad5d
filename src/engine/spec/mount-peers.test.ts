import { expect, test } from 'vitest';
import { peersOf } from './mount-peers.ts';

const table = [
  '20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
  '21 20 8:2 / /srv rw shared:5 - ext4 /dev/sdb1 rw',
  '22 21 8:3 / /srv/down\\040stream rw master:5 - ext4 /dev/sdc1 rw',
  '23 20 0:9 / /run rw shared:7 - tmpfs tmpfs rw',
  '24 23 0:9 / /run rw - tmpfs tmpfs rw',
  '',
].join('\n');

test.each([
  ['/etc', false, false],
  ['/srv', true, false],
  ['/srv/data', true, false],
  ['/srvx', false, false],
  ['/srv/down stream/x', false, true],
  ['/run/a', false, false], // what is mounted over it counts
])('%s: shared %s, slave %s', (path, shared, slave) => {
  expect(peersOf(table, path)).toEqual({ shared, slave });
});
