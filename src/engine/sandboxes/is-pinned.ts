import { statfsSync } from 'node:fs';

/** The filesystem of namespaces, see statfs(2). */
const nsfs = 0x6e736673;

/** Whether a namespace is bound there. A bind that was taken away leaves an empty file, which CNI plugins refuse. */
export function isPinned(pin: string): boolean {
  try {
    return statfsSync(pin).type === nsfs;
  } catch {
    return false;
  }
}
