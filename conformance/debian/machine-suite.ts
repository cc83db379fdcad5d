import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import type { Release } from './base-image.ts';
import { apparmor } from './checks/apparmor.ts';
import { endings } from './checks/endings.ts';
import { installation } from './checks/installation.ts';
import { limits } from './checks/limits.ts';
import { mainJob } from './checks/main-job.ts';
import { packages } from './checks/packages.ts';
import { holdings } from './holdings.ts';
import { DebianNode } from './node.ts';

/** Everything that is shown on one machine; the groups follow each other on it, from installation to removal. */
export function machineSuite(release: Release): void {
  let node: DebianNode | undefined;
  let untouched: readonly string[] = [];
  const started = (): DebianNode => {
    if (node === undefined) throw new Error(`Debian ${release} did not start`);
    return node;
  };

  describe(`Debian ${release}`, () => {
    // Making the base image takes minutes, once.
    beforeAll(async () => {
      node = await DebianNode.start(release);
      untouched = await holdings(node);
    }, 3_600_000);
    afterAll(async () => node?.close());

    let broken = false;
    // What cannot be installed cannot be shown, either.
    beforeEach(({ skip }) => {
      skip(broken, 'berth was not installed');
    });
    describe('installation', () => {
      afterEach(({ task }) => {
        broken ||= task.result?.state === 'fail';
      });
      installation(started);
    });
    describe('main job', () => {
      mainJob(started);
    });
    describe('limits', () => {
      limits(started);
    });
    describe('AppArmor', () => {
      apparmor(started);
    });
    describe('endings', () => {
      endings(started);
    });
    describe('packages', () => {
      packages(started, () => untouched);
    });
  });
}
