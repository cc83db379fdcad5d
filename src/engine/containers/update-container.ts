import { BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { ociResources } from '../../oci/spec/resources.ts';
import type { OciSpec } from '../../oci/spec/types.ts';
import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';
import { checkUnified } from './check-unified.ts';
import { readSpec, writeBundle } from './bundle.ts';

/** See ContainerService.update. All of it holds or none: spec, cgroup and record. */
export async function updateContainer(parts: EngineParts, idOrPrefix: string, asked: LinuxResources, signal: AbortSignal): Promise<void> {
  const { id } = parts.containers.get(idOrPrefix);
  await parts.containerLocks.run(id, () => updateInTurn(parts, id, asked, signal), signal);
}

async function updateInTurn(parts: EngineParts, id: ContainerId, asked: LinuxResources, signal: AbortSignal): Promise<void> {
  const { state, resources: before } = parts.containers.required(id);
  if (state !== 'created' && state !== 'running') throw new BerthError('precondition', `container ${id} is ${state}, so its resources cannot change`);
  checkUnified(asked.unified, parts.config.host);
  const resources = mergeResources(before, asked);
  const bundle = parts.paths.bundle(id);
  const spec = await readSpec(bundle);
  writeBundle(bundle, withResources(spec, resources, parts));
  try {
    // Only what was asked: the runtime leaves the rest as it is.
    if (state === 'running') await parts.tasks.get(id)?.task.update(ociResources(asked, parts.config.host), signal);
    parts.containers.update(id, { resources });
  } catch (error) {
    writeBundle(bundle, spec);
    throw error;
  }
}

function withResources(spec: OciSpec, resources: LinuxResources, { config }: EngineParts): OciSpec {
  const { devices } = spec.linux.resources;
  return { ...spec, linux: { ...spec.linux, resources: { ...ociResources(resources, config.host), ...(devices === undefined ? {} : { devices }) } } };
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
