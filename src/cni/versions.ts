import { BerthError } from '../lib/errors.ts';

/** Versions of the CNI specification that berth speaks, oldest first. */
export const spokenVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof spokenVersions)[number];

/** Narrows to the versions that berth speaks, newest first. */
export function spokenOf(versions: readonly string[]): readonly CniVersion[] {
  return spokenVersions.filter((version) => versions.includes(version)).toReversed();
}

export function isAtLeast(version: CniVersion, floor: CniVersion): boolean {
  return spokenVersions.indexOf(version) >= spokenVersions.indexOf(floor);
}

/** @throws BerthError `invalid` for a version that berth does not speak. */
export function asCniVersion(text: string): CniVersion {
  const [version] = spokenOf([text]);
  if (version === undefined) throw new BerthError('invalid', `berth does not speak CNI ${text}`);
  return version;
}
