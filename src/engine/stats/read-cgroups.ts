import { isKind } from '../../lib/errors.ts';
import type { ContainerId, PodId } from '../../lib/ids.ts';
import type { CgroupQuery, CgroupReading } from '../../agent/port.ts';
import { containerDirectory, parentDirectory } from '../../oci/runtime-spec/cgroups-path.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { Container } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

export interface ReadOptions {
  /** Look at every process too. */
  readonly processes: boolean;
}

/**
 * Readings of running containers. Those of our shims come from the kernel, by one call of the agent for all, so a frozen
 * shim is not even noticed. A foreign shim may keep its container where no cgroup of ours counts it, so it is asked itself;
 * one that hangs or vanishes is left out.
 */
export async function readContainers(parts: EngineParts, containers: readonly Container[], options: ReadOptions, signal: AbortSignal): Promise<ReadonlyMap<ContainerId, CgroupReading>> {
  const native = containers.filter((container) => isOurs(parts, container));
  const foreign = containers.filter((container) => !isOurs(parts, container));
  const [known, told] = await Promise.all([readCgroups(parts, native.map((container) => queryOf(parts, container)), options, signal), askShims(parts, foreign, signal)]);
  const missing = native.filter((_, index) => known[index] === undefined);
  const found = native.flatMap((container, index): [ContainerId, CgroupReading][] => {
    const reading = known[index];
    return reading === undefined ? [] : [[container.id, reading]];
  });
  return new Map([...found, ...told, ...(await askShims(parts, missing, signal))]);
}

/** Readings of the pods' own cgroups, for pods that have one: a parent that no other pod names. */
export async function readPods(parts: EngineParts, pods: readonly Pod[], signal: AbortSignal): Promise<ReadonlyMap<PodId, CgroupReading>> {
  const directory = ({ config }: Pod): string => (config.cgroupParent === '' ? '/' : parentDirectory(parts.config.cgroupDriver, config.cgroupParent));
  const owners = new Map<string, Set<string>>();
  for (const pod of parts.pods.all()) owners.set(directory(pod), (owners.get(directory(pod)) ?? new Set()).add(pod.config.plugins?.uid ?? pod.id));
  const own = pods.filter((pod) => directory(pod) !== '/' && owners.get(directory(pod))?.size === 1);
  const readings = await readCgroups(parts, own.map((pod) => ({ cgroupsPath: directory(pod), pid: 0 })), { processes: false }, signal);
  return new Map(own.flatMap(({ id }, index): [PodId, CgroupReading][] => {
    const reading = readings[index];
    return reading === undefined ? [] : [[id, reading]];
  }));
}

async function readCgroups(parts: EngineParts, queries: readonly CgroupQuery[], options: ReadOptions, signal: AbortSignal): Promise<readonly (CgroupReading | undefined)[]> {
  return queries.length === 0 ? [] : parts.agent.readCgroups(queries, options, signal);
}

function isOurs({ shims }: EngineParts, { task }: Container): boolean {
  return shims.handlers().some(({ name, protocol }) => name === task?.handler && protocol === 'berth');
}

function queryOf({ config, pods }: EngineParts, { id, podId, task }: Container): CgroupQuery {
  const parent = cgroupParent(config, pods.peek(podId)?.config ?? { cgroupParent: '' });
  return { cgroupsPath: containerDirectory(config.cgroupDriver, parent, id), pid: task?.pid ?? 0 };
}

async function askShims(parts: EngineParts, containers: readonly Container[], signal: AbortSignal): Promise<readonly [ContainerId, CgroupReading][]> {
  const all = await Promise.all(containers.map(async ({ id }) => askShim(parts, id, signal)));
  return all.filter((answer) => answer !== undefined);
}

/** Whoever asks while the shim still owes an answer waits for that one: callers that poll do not pile up behind a frozen shim. */
async function askShim(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<[ContainerId, CgroupReading] | undefined> {
  const task = parts.tasks.get(id)?.task;
  if (task === undefined) return undefined;
  try {
    const stats = await parts.shimReadFlights.run(id, async (attempt) => task.stats(attempt), signal);
    return [id, { path: '', stats }];
  } catch (error) {
    if (parts.containers.peek(id)?.state === 'running' && !isKind(error, 'canceled')) parts.log.warn({ container: id, err: error }, 'a container is left out of the statistics');
    return undefined;
  }
}
