import type { ContainerId } from '../../lib/ids.ts';
import type { ContainerEvent, NriCreation, NriSubject } from '../../nri/port.ts';
import { oomScoreAdj } from '../../oci/spec/resources.ts';
import type { OciResources, OciSpec } from '../../oci/spec/types.ts';
import { requestedDevices } from '../cdi/device-name.ts';
import { injectDevices } from '../cdi/inject-devices.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { checkUnified } from '../containers/check-unified.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { describeContainer, describePod, describeSubject } from './describe.ts';

/** The spec as plugins want it. Whoever calls it takes the container from the ledger, or calls containerFailed(). */
export async function containerMade(parts: EngineParts, container: Container, spec: OciSpec, signal: AbortSignal): Promise<OciSpec> {
  if (!parts.nri.active) return spec;
  const pod = describePod(parts, parts.pods.required(container.podId));
  const creation: NriCreation = { pod, container: describeContainer(parts, container, spec), spec };
  parts.ledger.creations.set(container.id, creation);
  const adjusted = await parts.nri.createContainer(creation, signal);
  const present = requestedDevices(container.config.cdiDevices, container.config.annotations);
  const added = adjusted.cdiDevices.filter((device) => !present.includes(device));
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
  await tellEnd(parts, creation);
  await tellLater(parts, 'remove', creation);
}

export async function containerCreated(parts: EngineParts, container: Container): Promise<void> {
  if (parts.nri.active) await inOrder(parts, container, (subject) => tellLater(parts, 'post-create', subject));
}

/** Before the container starts: a plugin that refuses makes the start fail. */
export async function containerStarts(parts: EngineParts, container: Container, signal: AbortSignal): Promise<void> {
  if (parts.nri.active) await inOrder(parts, container, (subject) => parts.nri.containerEvent('start', subject, signal));
}

export async function containerStarted(parts: EngineParts, container: Container): Promise<void> {
  if (parts.nri.active) await inOrder(parts, container, (subject) => tellLater(parts, 'post-start', subject));
}

/** Does not wait; see endHeard(). */
export function containerEnded(parts: EngineParts, container: Container): void {
  if (!parts.nri.active) return;
  parts.background.run('telling plugins of the end of a container', { container: container.id }, () => inOrder(parts, container, (subject) => tellEnd(parts, subject)));
}

/** Resolves when plugins have heard of all that has happened to a container so far. */
export async function endHeard(parts: EngineParts, id: ContainerId): Promise<void> {
  if (parts.nri.active) await parts.ledger.order.run(id, async () => undefined);
}

/** @param container as it was before its removal began; one that never ran ends only now. */
export async function containerGoes(parts: EngineParts, container: Container): Promise<void> {
  if (!parts.nri.active || container.state === 'removing') return;
  await inOrder(parts, container, async (subject) => {
    if (container.state === 'created') await tellEnd(parts, subject);
    await tellLater(parts, 'remove', subject);
  });
}

/** What to change of a container's resources, as plugins want it; undefined: what was asked. Hold no lock of a container. */
export async function containerChanges(parts: EngineParts, container: Container, asked: OciResources, signal: AbortSignal): Promise<OciResources | undefined> {
  if (!parts.nri.active) return undefined;
  return inOrder(parts, container, (subject) => parts.nri.updateContainer(subject, asked, signal));
}

export async function containerChanged(parts: EngineParts, container: Container): Promise<void> {
  if (parts.nri.active) await inOrder(parts, container, (subject) => tellLater(parts, 'post-update', subject));
}

/** Described as it is now, not as it will be when its turn comes. */
function inOrder<Result>(parts: EngineParts, container: Container, work: (subject: NriSubject) => Promise<Result>): Promise<Result> {
  const subject = describeSubject(parts, container);
  return parts.ledger.order.run(container.id, () => work(subject));
}

/** What has happened cannot be refused any more. */
async function tellLater(parts: EngineParts, event: ContainerEvent, subject: NriSubject): Promise<void> {
  try {
    await parts.nri.containerEvent(event, subject, cleanUpSignal());
  } catch (error) {
    parts.log.warn({ container: subject.container.id, err: error }, `a plugin failed to take note of a container (${event})`);
  }
}

async function tellEnd(parts: EngineParts, subject: NriSubject): Promise<void> {
  try {
    await parts.nri.stopContainer(subject, cleanUpSignal());
  } catch (error) {
    parts.log.warn({ container: subject.container.id, err: error }, 'a plugin failed to take note of the end of a container');
  }
}
