import type { PodId } from '../../lib/ids.ts';
import type { Waterfall } from '../../lib/waterfall.ts';
import { inParallel } from '../in-parallel.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { podStarts } from '../plugins/pod-hooks.ts';
import { makePrivateDirectory } from '../private-directory.ts';
import { interfaceSysctls } from '../spec/sysctls.ts';
import { attachment } from './attachment.ts';
import { mountShm, writeHostFiles } from './host-files.ts';
import { hasOwnNamespaces, namespaceRequest } from './namespace-request.ts';
import { preparePauseCgroups } from './pause-cgroups.ts';

/** Makes what a recorded pod in state `creating` holds: namespaces and network beside files. The caller undoes a failure. */
export async function makePodReady(parts: EngineParts, id: PodId, waterfall: Waterfall, signal: AbortSignal): Promise<Pod> {
  makePrivateDirectory(parts.paths.pod(id), parts.pods.required(id));
  await inParallel([(shared) => makeNamespaces(parts, id, waterfall, shared), (shared) => makeFiles(parts, id, waterfall, shared)], signal);
  if (parts.nri.active) await waterfall.phase('plugins', () => podStarts(parts, id, signal));
  signal.throwIfAborted();
  const pod = parts.pods.transition(id, 'ready', { waterfall: waterfall.phases() });
  parts.ledger.pods.delete(id);
  return pod;
}

async function makeNamespaces(parts: EngineParts, id: PodId, waterfall: Waterfall, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.required(id);
  const pauseCgroups = preparePauseCgroups(parts.config, pod);
  const request = namespaceRequest(parts.config, { pod, dir: parts.paths.pinDir(id), pauseCgroups });
  if (!hasOwnNamespaces(request)) return;
  const { pausePid } = await waterfall.phase('namespaces', () => parts.agent.createNamespaces(request, signal));
  if (pausePid !== 0) parts.pods.update(id, { pausePid });
  if (request.net) await attachNetwork(parts, id, waterfall, signal);
}

async function attachNetwork(parts: EngineParts, id: PodId, waterfall: Waterfall, signal: AbortSignal): Promise<void> {
  const asked = attachment(parts, parts.pods.required(id), parts.paths.pin(id, 'net'));
  parts.pods.update(id, { networkHeld: true });
  const network = await waterfall.phase('cni', () => parts.network.attach(asked, signal));
  parts.pods.update(id, { network });
  const sysctls = interfaceSysctls(parts.pods.required(id).config);
  if (Object.keys(sysctls).length > 0) await waterfall.phase('sysctls', () => parts.agent.writeSysctls(asked.netnsPath, sysctls, signal));
}

async function makeFiles(parts: EngineParts, id: PodId, waterfall: Waterfall, signal: AbortSignal): Promise<void> {
  const pod = parts.pods.required(id);
  await waterfall.phase('files', () => writeHostFiles(parts, pod, signal));
  if (pod.config.security.namespaces.ipc !== 'node') await waterfall.phase('shm', () => mountShm(parts, pod, signal));
}
