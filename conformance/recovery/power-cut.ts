import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { killCgroup, removeCgroup } from '../fixtures/cgroups.ts';
import { removeRulesOf } from '../fixtures/iptables.ts';
import { holdings } from '../fixtures/leaks.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';

/** Leaves the node as a power cut does: no process, mount, cgroup, rule or volatile file; and the kernel has booted anew. A run directory on a disk stays. */
export async function cutPower(node: NodeDaemon, { runStays = false } = {}): Promise<void> {
  const { scratch, namespace } = node;
  await node.kill();
  await killRest(node);
  await killCgroup(scratch.cgroup);
  const mounts = namespace.mounts().map(({ path }) => path).filter((path) => path.startsWith(scratch.dir));
  for (const path of mounts.toReversed()) {
    const [program, ...args] = namespace.enter(['umount', '--lazy', path]);
    execFileSync(program, args);
  }
  removeCgroup(scratch.cgroup);
  removeRulesOf(scratch);
  if (!runStays) rmSync(join(scratch.dir, 'run'), { recursive: true });
  bootAnew(join(scratch.dir, 'state/meta.db'));
}

/** Shims before containers, so that none lives to record an exit. */
async function killRest({ scratch, namespace }: NodeDaemon): Promise<void> {
  for (const line of holdings({ scratch, namespace, own: [namespace.pid] }).processes) {
    try {
      process.kill(Number(line.split(' ', 1)[0]), 'SIGKILL');
    } catch {
      // It ended with the one before.
    }
  }
}

/** berthd remembers the boot that it last ran in. */
function bootAnew(database: string): void {
  const db = new DatabaseSync(database);
  try {
    const { changes } = db.prepare("UPDATE meta SET value = 'another boot' WHERE key = 'boot_id'").run();
    if (changes !== 1) throw new Error(`${database} knows no boot_id`);
  } finally {
    db.close();
  }
}
