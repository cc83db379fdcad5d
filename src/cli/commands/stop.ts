import type { Context } from '../context.ts';
import type { Message } from '../cri-client.ts';
import { findPods } from '../find.ts';
import { field, items } from '../message-fields.ts';

interface StopOptions {
  readonly all?: boolean;
  readonly grace: number;
}

/**
 * `berth stop`: lets the containers of pods end within the grace and releases what the pods hold. All pods are tried at once, and
 * those that could not be stopped are named at the end.
 */
export async function stopPods(context: Context, words: readonly string[], { all, grace }: StopOptions): Promise<void> {
  if (words.length > 0 === (all === true)) throw new Error('name pods, or say --all; see: berth pods');
  const pods = await findPods(context, words);
  const endings = await Promise.allSettled(pods.map(async (pod) => stopPod(context, pod, grace)));
  const stopped = pods.filter((_pod, index) => endings[index]?.status === 'fulfilled');
  context.print(stopped, (ids) => ids.join('\n'));
  const faults = endings.flatMap((ending, index) => (ending.status === 'rejected' ? [`${pods[index] ?? ''}: ${String((ending.reason as Error).message)}`] : []));
  if (faults.length > 0) throw new Error(`${faults.length} of ${pods.length} pods could not be stopped:\n${faults.join('\n')}`);
}

async function stopPod({ cri }: Context, pod: string, grace: number): Promise<string> {
  const filter = { pod_sandbox_id: pod, state: { state: 'CONTAINER_RUNNING' } };
  const running: readonly Message[] = items(await cri.call('ListContainers', { filter }), 'containers');
  await Promise.all(running.map(async (container) => cri.call('StopContainer', { container_id: field(container, 'id'), timeout: grace })));
  await cri.call('StopPodSandbox', { pod_sandbox_id: pod });
  return pod;
}
