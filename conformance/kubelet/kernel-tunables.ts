import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// The kubelet sets these for the whole machine when it starts.
const names = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'];

const path = (name: string): string => join('/proc/sys', name);

export interface KernelTunable {
  readonly name: string;
  readonly value: string;
}

/** What a kubelet will change, as it is now. */
export const readKernelTunables = (): readonly KernelTunable[] => names.filter((name) => existsSync(path(name))).map((name) => ({ name, value: readFileSync(path(name), 'utf8') }));

/** Puts back what {@link readKernelTunables} read. */
export function writeKernelTunables(tunables: readonly KernelTunable[]): void {
  for (const { name, value } of tunables) writeFileSync(path(name), value);
}
