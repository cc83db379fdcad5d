import { BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { mergeOciResources } from '../../oci/runtime-spec/merge-resources.ts';
import type { HostFacts } from '../../oci/runtime-spec/input.ts';
import { oomScoreAdj, ociResources, swapFile } from '../../oci/runtime-spec/resources.ts';
import type { OciResources, OciSpec } from '../../oci/runtime-spec/types.ts';
import type { ScoreChange, Task } from '../../shim/port.ts';
import { isLive, type Container } from '../model/container.ts';
import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';
import { containerChanged, containerChanges } from '../plugins/container-hooks.ts';
import { readSpec, writeBundle } from '../spec/bundle.ts';
import { checkMemory } from '../spec/check-memory.ts';
import { checkOomScore } from '../spec/check-oom-score.ts';
import { checkUnified } from '../spec/check-unified.ts';
import { withOciResources } from './record-resources.ts';

/** See ContainerService.update. All of it holds or none: spec, cgroup and record. */
export async function updateContainer(parts: EngineParts, idOrPrefix: string, asked: LinuxResources, signal: AbortSignal): Promise<void> {
  const container = parts.containers.get(idOrPrefix);
  checkChangeable(container);
  checkUnified(asked.unified, parts.config.host);
  checkOomScore(asked.oomScoreAdj);
  const whole = withMemory(container.resources, asked);
  checkMemory(whole, parts.config.host);
  const plain = ociResources(whole, parts.config.host);
  const wanted = await containerChanges(parts, container, plain, signal);
  await changeResources(parts, container.id, { resources: wanted ?? plain, asked: wanted === undefined ? asked : withOciResources(asked, wanted) }, signal);
  await containerChanged(parts, parts.containers.required(container.id));
}

export interface ResourceChange {
  /** For the spec and the runtime: only what changes. */
  readonly resources: OciResources;
  /** For the record; undefined: what it can hold of `resources`. */
  readonly asked: LinuxResources | undefined;
}

/** As updateContainer(), without asking plugins. */
export async function changeResources(parts: EngineParts, id: ContainerId, change: ResourceChange, signal: AbortSignal): Promise<void> {
  await parts.containerLocks.run(id, () => changeInTurn(parts, id, change, signal), signal);
}

function checkChangeable({ id, state }: Container): void {
  if (state !== 'created' && !isLive({ state })) throw new BerthError('precondition', `container ${id} is ${state}, so its resources cannot change`);
}

async function changeInTurn(parts: EngineParts, id: ContainerId, { resources, asked }: ResourceChange, signal: AbortSignal): Promise<void> {
  const container = parts.containers.required(id);
  checkChangeable(container);
  checkUnified(resources.unified ?? {}, parts.config.host);
  const recorded = asked === undefined ? withOciResources(container.resources, resources) : mergeResources(container.resources, asked);
  const bundle = parts.paths.bundle(id);
  const spec = await readSpec(bundle);
  const score = { from: spec.process.oomScoreAdj, to: scoreWith(spec, asked?.oomScoreAdj, parts.config.host) };
  const merged = mergeOciResources(spec.linux.resources, resources);
  writeBundle(bundle, { ...spec, process: { ...spec.process, oomScoreAdj: score.to }, linux: { ...spec.linux, resources: merged } });
  // The limits of memory and swap hold together, or the kernel takes neither.
  const change = resources.memory?.limit === undefined ? resources : { ...resources, memory: { ...merged.memory, ...resources.memory } };
  try {
    if (isLive(container)) await changeRunning(parts.tasks.get(id)?.task, { resources: change, score }, signal);
    parts.containers.update(id, { resources: recorded });
  } catch (error) {
    writeBundle(bundle, spec);
    throw error;
  }
}

const scoreWith = ({ process }: OciSpec, asked: number | undefined, host: HostFacts): number => (asked === undefined ? process.oomScoreAdj : oomScoreAdj(asked, host));

/** The runtime gets only what was asked: it leaves the rest as it is. Of scores it knows nothing. */
async function changeRunning(task: Task | undefined, { resources, score }: { readonly resources: OciResources; readonly score: ScoreChange }, signal: AbortSignal): Promise<void> {
  const changed = score.from !== score.to;
  if (changed) task?.changeOomScore(score);
  try {
    await task?.update(resources, signal);
  } catch (error) {
    if (changed) task?.changeOomScore({ from: score.to, to: score.from });
    throw error;
  }
}

/** A change with what memory and swap need of each other: the limit of swap is one of both, unless a file of `unified` has the last word. */
function withMemory(before: LinuxResources, asked: LinuxResources): LinuxResources {
  const bounded = asked.memorySwapLimitBytes !== undefined && asked.memorySwapLimitBytes >= 0;
  const chosen = before.unified[swapFile];
  return {
    ...asked,
    memoryLimitBytes: asked.memoryLimitBytes ?? (bounded ? before.memoryLimitBytes : undefined),
    unified: chosen === undefined || asked.memoryLimitBytes === undefined ? asked.unified : { [swapFile]: chosen, ...asked.unified },
  };
}

/** What is asked replaces what was; what is not asked stays, but for swap, whose limit goes with that of memory. */
export function mergeResources(before: LinuxResources, asked: LinuxResources): LinuxResources {
  const swap = asked.memorySwapLimitBytes ?? (before.memorySwapLimitBytes === undefined ? undefined : asked.memoryLimitBytes);
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as Partial<LinuxResources>;
  return {
    ...before,
    ...given,
    memorySwapLimitBytes: swap ?? before.memorySwapLimitBytes,
    hugepageLimits: asked.hugepageLimits.length > 0 ? asked.hugepageLimits : before.hugepageLimits,
    unified: { ...before.unified, ...asked.unified },
  };
}
