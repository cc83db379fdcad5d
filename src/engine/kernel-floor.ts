import { BerthError } from '../lib/errors.ts';

/** The oldest kernel on which everything that berth-agent and berth-shim ask of one is there: mount_setattr(2) came last. */
export const kernelFloor = '5.12';

/** What is wrong with a kernel of this release, as uname(2) words it; empty: nothing. A release that is no version is not judged. */
export function kernelTrouble(release: string): string {
  const [major, minor] = versionOf(release);
  const [floorMajor, floorMinor] = versionOf(kernelFloor);
  const isOlder = major < floorMajor || (major === floorMajor && minor < floorMinor);
  return isOlder ? `the kernel of this node is Linux ${release}, and berth needs ${kernelFloor} or newer` : '';
}

/** @throws BerthError `precondition` on a kernel that is too old for containers. */
export function checkKernel(release: string): void {
  const trouble = kernelTrouble(release);
  if (trouble !== '') throw new BerthError('precondition', trouble, { hint: 'start the node with a newer kernel' });
}

function versionOf(release: string): readonly [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return major === undefined ? [Infinity, 0] : [Number(major), Number(minor)];
}
