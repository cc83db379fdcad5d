import type { ContainerId } from '../../lib/ids.ts';
import type { ContainerEvent, NriCreation, NriSubject } from '../../nri/port.ts';
import { oomScoreAdj } from '../../oci/runtime-spec/resources.ts';
import type { OciResources, OciSpec } from '../../oci/runtime-spec/types.ts';
import { injectDevices } from '../cdi/inject-devices.ts';
import { checkUnified } from '../spec/check-unified.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { describeContainer, describePod, describeSubject, isHeard } from './describe.ts';
import { tellPlugins } from './tell-plugins.ts';

/** The spec as plugins want it. Whoever calls it takes the container from the ledger, or calls containerFailed(). */
export async function containerMade(parts: EngineParts, container: Container, spec: OciSpec, signal: AbortSignal): Promise<OciSpec> {
  const pod = parts.pods.required(container.podId);
  if (!isHeard(parts, pod)) return spec;
  const creation: NriCreation = { pod: describePod(parts, pod), container: describeContainer(parts, container, spec), spec };
  parts.ledger.creations.set(container.id, creation);
  const adjusted = await parts.nri.createContainer(creation, signal);
  const added = adjusted.cdiDevices.filter((device) => !container.config.cdiDevices.includes(device));
  return injectDevices(possible(parts, adjusted.spec), added, parts.config.cdiSpecDirs);
}

/** What the node cannot give is no more a plugin's to ask for than a client's. */
function possible({ config }: EngineParts, spec: OciSpec): OciSpec {
  checkUnified(spec.linux.resources.unified ?? {}, config.host);
  return { ...spec, process: { ...spec.process, oomScoreAdj: oomScoreAdj(spec.process.oomScoreAdj, config.host) } };
}

/** A container that could not be made is over for the plugins that have heard of it. */
export async function containerFailed(parts: EngineParts, id: ContainerId): Promise<void> {
  const creation = parts.ledger.creations.get(id);
  if (creation === undefined) return;
  parts.ledger.creations.delete(id);
  await tellPlugins(parts, id, async (signal) => {
    await tellEnd(parts, creation, signal);
    await tellEvent(parts, 'remove', creation, signal);
  });
}

export async function containerCreated(parts: EngineParts, container: Container): Promise<void> {
  await tell(parts, container, (subject, signal) => tellEvent(parts, 'post-create', subject, signal));
}

/** Before the container starts: a plugin that refuses makes the start fail. */
export async function containerStarts(parts: EngineParts, container: Container, signal: AbortSignal): Promise<void> {
  await inOrder(parts, container, (subject) => parts.nri.containerEvent('start', subject, signal), signal);
}

export async function containerStarted(parts: EngineParts, container: Container): Promise<void> {
  await tell(parts, container, (subject, signal) => tellEvent(parts, 'post-start', subject, signal));
}

/** Does not wait; see endHeard(). */
export function containerEnded(parts: EngineParts, container: Container): void {
  if (!parts.nri.active) return;
  parts.background.run('telling plugins of the end of a container', { container: container.id }, () => tell(parts, container, (subject, signal) => tellEnd(parts, subject, signal)));
}

/** Resolves when plugins have heard of all that has happened to a container so far, or have taken long; see tellPlugins(). */
export async function endHeard(parts: EngineParts, id: ContainerId): Promise<void> {
  if (parts.nri.active) await tellPlugins(parts, id, async () => undefined);
}

/** @param container as it was before its removal began; one that never ran ends only now. */
export async function containerGoes(parts: EngineParts, container: Container): Promise<void> {
  if (container.state === 'removing') return;
  await tell(parts, container, async (subject, signal) => {
    if (container.state === 'created') await tellEnd(parts, subject, signal);
    await tellEvent(parts, 'remove', subject, signal);
  });
}

/** What to change of a container's resources, as plugins want it; undefined: what was asked. Hold no lock of a container. */
export async function containerChanges(parts: EngineParts, container: Container, asked: OciResources, signal: AbortSignal): Promise<OciResources | undefined> {
  return inOrder(parts, container, (subject) => parts.nri.updateContainer(subject, asked, signal), signal);
}

export async function containerChanged(parts: EngineParts, container: Container): Promise<void> {
  await tell(parts, container, (subject, signal) => tellEvent(parts, 'post-update', subject, signal));
}

/** Described as it is now, not as it will be when its turn comes. undefined when plugins hear nothing of the container. */
async function inOrder<Result>(parts: EngineParts, container: Container, ask: (subject: NriSubject) => Promise<Result>, signal: AbortSignal): Promise<Result | undefined> {
  const subject = describeSubject(parts, container);
  if (subject === undefined) return undefined;
  return parts.ledger.order.run(container.id, () => ask(subject), signal);
}

/** As inOrder(), of what cannot be refused any more. */
async function tell(parts: EngineParts, container: Container, work: (subject: NriSubject, signal: AbortSignal) => Promise<void>): Promise<void> {
  const subject = describeSubject(parts, container);
  if (subject !== undefined) await tellPlugins(parts, container.id, (signal) => work(subject, signal));
}

async function tellEvent(parts: EngineParts, event: ContainerEvent, subject: NriSubject, signal: AbortSignal): Promise<void> {
  try {
    await parts.nri.containerEvent(event, subject, signal);
  } catch (error) {
    signal.throwIfAborted();
    parts.log.warn({ container: subject.container.id, err: error }, `a plugin failed to take note of a container (${event})`);
  }
}

async function tellEnd(parts: EngineParts, subject: NriSubject, signal: AbortSignal): Promise<void> {
  try {
    await parts.nri.stopContainer(subject, signal);
  } catch (error) {
    signal.throwIfAborted();
    parts.log.warn({ container: subject.container.id, err: error }, 'a plugin failed to take note of the end of a container');
  }
}
