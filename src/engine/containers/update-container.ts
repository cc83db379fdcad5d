import { BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { mergeOciResources } from '../../oci/spec/merge-resources.ts';
import type { HostFacts } from '../../oci/spec/input.ts';
import { oomScoreAdj, ociResources } from '../../oci/spec/resources.ts';
import type { OciResources, OciSpec } from '../../oci/spec/types.ts';
import type { ScoreChange, Task } from '../../shim/port.ts';
import type { Container } from '../model/container.ts';
import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';
import { containerChanged, containerChanges } from '../plugins/container-hooks.ts';
import { readSpec, writeBundle } from './bundle.ts';
import { checkOomScore } from './check-oom-score.ts';
import { checkUnified } from './check-unified.ts';
import { withOciResources } from './record-resources.ts';

/** See ContainerService.update. All of it holds or none: spec, cgroup and record. */
export async function updateContainer(parts: EngineParts, idOrPrefix: string, asked: LinuxResources, signal: AbortSignal): Promise<void> {
  const container = parts.containers.get(idOrPrefix);
  checkChangeable(container);
  checkUnified(asked.unified, parts.config.host);
  checkOomScore(asked.oomScoreAdj);
  const plain = ociResources(asked, parts.config.host);
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
  if (state !== 'created' && state !== 'running') throw new BerthError('precondition', `container ${id} is ${state}, so its resources cannot change`);
}

async function changeInTurn(parts: EngineParts, id: ContainerId, { resources, asked }: ResourceChange, signal: AbortSignal): Promise<void> {
  const container = parts.containers.required(id);
  checkChangeable(container);
  checkUnified(resources.unified ?? {}, parts.config.host);
  const recorded = asked === undefined ? withOciResources(container.resources, resources) : mergeResources(container.resources, asked);
  const bundle = parts.paths.bundle(id);
  const spec = await readSpec(bundle);
  const score = { from: spec.process.oomScoreAdj, to: scoreWith(spec, asked?.oomScoreAdj, parts.config.host) };
  writeBundle(bundle, { ...spec, process: { ...spec.process, oomScoreAdj: score.to }, linux: { ...spec.linux, resources: mergeOciResources(spec.linux.resources, resources) } });
  try {
    if (container.state === 'running') await changeRunning(parts.tasks.get(id)?.task, { resources, score }, signal);
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

/** What is asked replaces what was; what is not asked stays. */
export function mergeResources(before: LinuxResources, asked: LinuxResources): LinuxResources {
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) as Partial<LinuxResources>;
  return {
    ...before,
    ...given,
    hugepageLimits: asked.hugepageLimits.length > 0 ? asked.hugepageLimits : before.hugepageLimits,
    unified: { ...before.unified, ...asked.unified },
  };
}
