import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// The kubelet sets these for the whole machine when it starts.
const names = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'];

const path = (name: string): string => join('/proc/sys', name);

/** Reads what a kubelet will change; call the result to put it back. */
export function saveKernelTunables(): () => void {
  const saved = names.filter((name) => existsSync(path(name))).map((name) => ({ name, value: readFileSync(path(name), 'utf8') }));
  return () => {
    for (const { name, value } of saved) writeFileSync(path(name), value);
  };
}
