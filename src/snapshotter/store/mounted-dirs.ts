import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { escapedPath } from '../escaped-path.ts';

/** A line of /proc/PID/mountinfo, see proc_pid_mountinfo(5). */
interface Mount {
  readonly device: string;
  /** What of the device's filesystem is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  /** Filesystem type, source and options. */
  readonly rest: string;
}

/** Of an overlay that does not tell its directories, as they were given by descriptor: the source, which is the topmost layer or the beginning of its path. */
const nameless = / - overlay (\/.*?) r[ow](?:,.*)?,(?:lowerdir\+?|upperdir)=(?:(?:\/proc\/self\/fd\/)?\d+|\/)(?:[:,]|$)/;

/** Those of the snapshot directories below `root`, told by their numbers, that some process may have mounted, in any mount namespace. */
export function mountedDirs(root: string, numbers: readonly number[]): ReadonlySet<number> {
  const home = homeOf(root);
  const found = new Set<number>();
  for (const { device, root: bound, rest } of mountsAnywhere()) {
    if (hidesDirs(root, rest)) return new Set(numbers);
    const places = [...(device === home.device ? numbersBelow(home.path, `${bound}/`) : []), ...numbersBelow(root, rest), ...numbersBelow(escapedPath(root), rest)];
    for (const place of places) found.add(place);
  }
  return found;
}

function hidesDirs(root: string, rest: string): boolean {
  const [, source] = nameless.exec(rest) ?? [];
  return source !== undefined && (source.startsWith(`${root}/`) || root.startsWith(source));
}

/** Where `root` is as bind mounts of it are listed: its device, and its path on the device's filesystem. */
function homeOf(root: string): { readonly device: string; readonly path: string } {
  const holders = parse(readFileSync('/proc/self/mountinfo', 'utf8')).filter(({ mountPoint }) => mountPoint === '/' || `${root}/`.startsWith(`${mountPoint}/`));
  // Of equally long ones the later hides the earlier.
  const holder = holders.toSorted((a, b) => a.mountPoint.length - b.mountPoint.length).at(-1);
  return { device: holder?.device ?? '', path: join(holder?.root ?? '/', relative(holder?.mountPoint ?? '/', root)) };
}

function numbersBelow(root: string, text: string): readonly number[] {
  return text.split(`${root}/`).slice(1).flatMap((rest) => {
    const [digits] = /^\d+(?=\/)/.exec(rest) ?? [];
    return digits === undefined ? [] : [Number(digits)];
  });
}

/** The mounts of each mount namespace that a process is in. */
function* mountsAnywhere(): Generator<Mount> {
  const seen = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
      if (seen.has(namespace)) continue;
      const mounts = parse(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
      seen.add(namespace);
      yield* mounts;
    } catch {
      // The process ended while it was looked at, or is a kernel thread.
    }
  }
}

function parse(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').filter(Boolean).map((line) => {
    const [, , device = '', root = '', mountPoint = '', ...rest] = line.split(' ').map(unescape);
    return { device, root, mountPoint, rest: rest.join(' ') };
  });
}

/** Blanks and backslashes are written as octal numbers. */
function unescape(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
