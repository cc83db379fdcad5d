import { readdirSync, readFileSync } from 'node:fs';

function words(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** The pid of the shim that keeps a container. */
export function shimOf(containerId: string): number {
  const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && /-shim(-runc-v2(-rs)?)?$/.test(words(name)[0] ?? '') && words(name).includes(containerId));
  if (found === undefined) throw new Error(`container ${containerId} has no shim`);
  return Number(found);
}
