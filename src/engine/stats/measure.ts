import type { Measurements } from '../model/stats.ts';
import type { EngineParts } from '../parts.ts';
import { statsOfPods } from './pod-stats.ts';
import { readingDeadline } from './reading-deadline.ts';

/** See PodService.measure. */
export async function measure(parts: EngineParts, signal: AbortSignal): Promise<Measurements> {
  const deadline = readingDeadline(signal);
  const ready = parts.pods.list({ id: '', state: 'ready', labels: {} });
  const [pods, filesystem] = await Promise.all([statsOfPods(parts, ready, { processes: true }, deadline), parts.agent.statFilesystem(parts.config.stateRoot, deadline)]);
  return { pods, filesystem };
}
