import type { CgroupAnswer } from './methods.ts';
import type { CgroupReading } from './port.ts';

/** The agent's answer about one cgroup; undefined when there is none. */
export function cgroupReading({ found, path, cpu, memory, pids, pressure, processes, ...stats }: CgroupAnswer): CgroupReading | undefined {
  if (!found || cpu === null || memory === null || pids === null) return undefined;
  return { path, stats: { ...stats, cpu, memory, pids, pressure: pressure ?? undefined, processes: processes ?? undefined } };
}
