import type { FilesystemMount } from '../../agent/port.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { containerMade } from '../plugins/container-hooks.ts';
import { makePrivateDirectory } from '../private-directory.ts';
import type { hostSources } from '../spec/binds.ts';
import { writeBundle } from '../spec/bundle.ts';
import { composeSpec, type Creation } from '../spec/compose-spec.ts';
import { handlerOf } from '../spec/handler-of.ts';
import { withOciResources } from './record-resources.ts';

/** A run's container, and what it is prepared from. */
export interface Preparation {
  readonly creation: Creation;
  readonly container: Container;
  readonly rootfs: readonly FilesystemMount[];
  /** See hostSources(). */
  readonly sources: ReturnType<typeof hostSources>;
}

/**
 * Prepares a run: composes its spec, has plugins look at it and writes it into the bundle. Returns the container with the
 * user, resources and waterfall of the run.
 */
export async function prepareRun(parts: EngineParts, { creation, container, rootfs, sources }: Preparation, signal: AbortSignal): Promise<Container> {
  const { id, pod, waterfall } = creation;
  const { spec: plain, user } = await composeSpec(parts, creation, { rootfs, sources }, signal);
  const known = { ...container, user };
  const spec = parts.nri.active ? await waterfall.phase('plugins', () => containerMade(parts, known, plain, signal)) : plain;
  await waterfall.phase('bundle', async () => {
    const hints = parts.shims.specAnnotations(handlerOf(parts, pod), spec.linux.seccomp);
    const bundle = parts.paths.bundle(id);
    makePrivateDirectory(bundle, pod);
    writeBundle(bundle, { ...spec, annotations: { ...spec.annotations, ...hints } });
  });
  const resources = spec === plain ? container.resources : withOciResources(container.resources, spec.linux.resources);
  return { ...known, resources, waterfall: waterfall.phases() };
}
