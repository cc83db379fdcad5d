import { BerthError } from '../../lib/errors.ts';
import { newPodId, type PodId } from '../../lib/ids.ts';
import { Waterfall } from '../../lib/waterfall.ts';
import { publishPod } from '../facts/publish.ts';
import { inParallel } from '../in-parallel.ts';
import type { Pod, PodConfig } from '../model/pod.ts';
import { observed, observePhases } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { makePrivateDirectory } from '../private-directory.ts';
import { podFailed, podStarts } from '../plugins/pod-hooks.ts';
import { abandonPod } from './abandon-pod.ts';
import { attachment } from './attachment.ts';
import { checkPodConfig } from './check-pod-config.ts';
import { mountShm, writeHostFiles } from './host-files.ts';
import { hasOwnNamespaces, namespaceRequest } from './namespace-request.ts';
import { preparePauseCgroups } from './pause-cgroups.ts';
import { podName } from '../stores/pod-store.ts';
import { interfaceSysctls } from '../spec/sysctls.ts';

/** See PodService.run. */
export function runPod(parts: EngineParts, config: PodConfig, signal: AbortSignal): Promise<Pod> {
  return observed(parts, 'run-pod', async () => {
    checkPodConfig(parts, config);
    return parts.podFlights.run(podName(config), (attempt) => makePod(parts, config, attempt), signal);
  });
}

async function makePod(parts: EngineParts, config: PodConfig, signal: AbortSignal): Promise<Pod> {
  const living = parts.pods.byKey(config);
  if (living !== undefined) throw new BerthError('already-exists', `pod ${config.title} exists already as ${living.id}`, { hint: 'remove it or ask for the next attempt' });
  const creating = recordPod(parts, config);
  const { id } = creating;
  const waterfall = new Waterfall(parts.clock);
  try {
    makePrivateDirectory(parts.paths.pod(id), creating);
    await inParallel([(shared) => makeNamespaces(parts, id, waterfall, shared), (shared) => makeFiles(parts, id, waterfall, shared)], signal);
    if (parts.nri.active) await waterfall.phase('plugins', () => podStarts(parts, id, signal));
    signal.throwIfAborted();
    const pod = parts.pods.transition(id, 'ready', { waterfall: waterfall.phases() });
    parts.ledger.pods.delete(id);
    observePhases(parts, 'run-pod', waterfall);
    publishPod(parts, 'created', pod);
    publishPod(parts, 'started', pod);
    return pod;
  } catch (error) {
    await podFailed(parts, id);
    await abandonPod(parts, id);
    throw error;
  }
}

/** The record comes first: after a crash it tells what has to be undone. */
function recordPod(parts: EngineParts, config: PodConfig): Pod {
  const selinuxLevel = parts.selinux.newLevel(parts.pods.all());
  return parts.pods.add({
    id: newPodId(),
    config,
    state: 'creating',
    createdAtNs: parts.clock.nowNs(),
    network: undefined,
    networkHeld: false,
    pausePid: 0,
    waterfall: [],
    ...(selinuxLevel === undefined ? {} : { selinuxLevel }),
  });
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
  // Before anything is held: a pod whose annotations make no sense has nothing to detach, which would take them again.
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
