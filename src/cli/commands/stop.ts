import { field, items, type Context } from '../context.ts';
import type { Message } from '../cri-client.ts';

interface StopOptions {
  readonly all?: boolean;
  readonly grace: string;
}

/**
 * `berth stop`: lets the containers of pods end within the grace and releases what the pods hold. All pods are tried at once, and
 * those that could not be stopped are named at the end.
 */
export async function stopPods(context: Context, words: readonly string[], { all, grace }: StopOptions): Promise<void> {
  if (!/^\d+$/.test(grace)) throw new Error(`--grace takes whole seconds, not "${grace}"`);
  if (words.length > 0 === (all === true)) throw new Error('name pods, or say --all; see: berth pods');
  const pods = await choose(context, words);
  const endings = await Promise.allSettled(pods.map(async (pod) => stopPod(context, pod, grace)));
  const stopped = pods.filter((_pod, index) => endings[index]?.status === 'fulfilled');
  if (stopped.length > 0) context.print(stopped, (ids) => ids.join('\n'));
  const faults = endings.flatMap((ending, index) => (ending.status === 'rejected' ? [`${pods[index] ?? ''}: ${String((ending.reason as Error).message)}`] : []));
  if (faults.length > 0) throw new Error(`${faults.length} of ${pods.length} pods could not be stopped:\n${faults.join('\n')}`);
}

async function choose(context: Context, words: readonly string[]): Promise<readonly string[]> {
  const known = items(await context.cri.call('ListPodSandbox'), 'items').map((pod) => field(pod, 'id'));
  return words.length === 0 ? known : [...new Set(words.map((word) => only(known, word)))];
}

function only(known: readonly string[], word: string): string {
  const found = known.filter((id) => id.startsWith(word));
  const [id] = found;
  if (id === undefined) throw new Error(`no pod has the id "${word}"; see: berth pods`);
  if (found.length > 1) throw new Error(`"${word}" stands for ${found.length} pods; give more of the id`);
  return id;
}

async function stopPod({ cri }: Context, pod: string, grace: string): Promise<string> {
  const filter = { pod_sandbox_id: pod, state: { state: 'CONTAINER_RUNNING' } };
  const running: readonly Message[] = items(await cri.call('ListContainers', { filter }), 'containers');
  await Promise.all(running.map(async (container) => cri.call('StopContainer', { container_id: field(container, 'id'), timeout: grace })));
  await cri.call('StopPodSandbox', { pod_sandbox_id: pod });
  return pod;
}
