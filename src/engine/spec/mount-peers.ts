const unescape = (path: string): string => path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

function isBelow(path: string, mountPoint: string): boolean {
  return mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
}

/** How the mount that holds `path` passes on mount events, from the text of /proc/self/mountinfo. */
export function peersOf(mountinfo: string, path: string): { readonly shared: boolean; readonly slave: boolean } {
  let longest = '';
  let flags: readonly string[] = [];
  for (const line of mountinfo.split('\n')) {
    const [, , , , point = '', , ...rest] = line.split(' ');
    const mountPoint = unescape(point);
    // Of several mounts at one place the last one is on top.
    if (mountPoint === '' || !isBelow(path, mountPoint) || mountPoint.length < longest.length) continue;
    longest = mountPoint;
    flags = rest.slice(0, rest.indexOf('-'));
  }
  return { shared: flags.some((flag) => flag.startsWith('shared:')), slave: flags.some((flag) => flag.startsWith('master:')) };
}
