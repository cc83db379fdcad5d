import type { RuntimeVersion } from '../port.ts';

interface Advisory {
  readonly id: string;
  /** The first mended version of each branch, ascending; none: no version is mended yet. */
  readonly fixed: readonly string[];
}

/** From the projects' own advisories (github.com/opencontainers/runc and github.com/containers/crun, Security), as of 2026-11. */
const advisories: Readonly<Record<string, readonly Advisory[]>> = {
  runc: [
    { id: 'CVE-2019-5736', fixed: ['1.0.0-rc7'] },
    { id: 'CVE-2021-30465', fixed: ['1.0.0-rc95'] },
    { id: 'CVE-2021-43784', fixed: ['1.0.3'] },
    { id: 'CVE-2022-29162', fixed: ['1.1.2'] },
    { id: 'CVE-2023-27561', fixed: ['1.1.5'] },
    { id: 'CVE-2023-28642', fixed: ['1.1.5'] },
    { id: 'CVE-2024-21626', fixed: ['1.1.12'] },
    { id: 'CVE-2024-45310', fixed: ['1.1.14', '1.2.0-rc3'] },
    { id: 'CVE-2025-31133', fixed: ['1.2.8', '1.3.3', '1.4.0-rc3'] },
    { id: 'CVE-2025-52565', fixed: ['1.2.8', '1.3.3', '1.4.0-rc3'] },
    { id: 'CVE-2025-52881', fixed: ['1.2.8', '1.3.3', '1.4.0-rc3'] },
    { id: 'CVE-2026-41579', fixed: ['1.3.6', '1.4.3'] },
  ],
  crun: [
    { id: 'CVE-2019-18837', fixed: ['0.10.5'] },
    { id: 'CVE-2022-27650', fixed: ['1.4.4'] },
    { id: 'CVE-2026-47766', fixed: ['1.28'] },
    // Both want a container without a fresh /dev, which berth never makes unless the request mounts something there.
    { id: 'CVE-2026-88264', fixed: [] },
    { id: 'CVE-2026-88265', fixed: [] },
  ],
};

type Parts = readonly [major: number, minor: number, patch: number, candidate: number];

/** Major, minor, patch and number of the release candidate, which comes before its release. */
function parse(version: string): Parts | undefined {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?(?:-rc\.?(\d+))?/.exec(version);
  if (match === null) return undefined;
  const [, major, minor, patch = '0', candidate] = match;
  return [Number(major), Number(minor), Number(patch), candidate === undefined ? Number.POSITIVE_INFINITY : Number(candidate)];
}

function isBefore(version: Parts, other: string): boolean {
  const against = parse(other) ?? version;
  const index = version.findIndex((part, place) => part !== against[place]);
  return index >= 0 && (version[index] ?? 0) < (against[index] ?? 0);
}

/** Mended: at or after the fix of its own branch, or of the last one. */
function isOpen({ fixed }: Advisory, version: Parts): boolean {
  const inBranch = fixed.find((fix) => fix.startsWith(`${version[0]}.${version[1]}.`)) ?? fixed.at(-1);
  return inBranch === undefined || isBefore(version, inBranch);
}

/**
 * Reads what `<runtime> --version` prints. Only runc and crun are known. A distribution may have mended a version without
 * changing its number, so what is found is for somebody to look at.
 */
export function runtimeVersion(printed: string): RuntimeVersion {
  const [, name = '', version = ''] = /^(crun|runc) version (\S{1,64})/.exec(printed) ?? [];
  const parts = parse(version);
  if (parts === undefined) return { version: '', advisories: [] };
  return { version: `${name} ${version}`, advisories: (advisories[name] ?? []).filter((advisory) => isOpen(advisory, parts)).map(({ id }) => id) };
}
