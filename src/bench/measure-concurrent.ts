import { removePod, startPod } from './start-pod.ts';
import type { Subject } from './subject.ts';

/** Pods started at once. */
export interface ConcurrentResult {
  /** Milliseconds from the first call to each pod's last, each from its own first call. */
  readonly totals: readonly number[];
  readonly startsPerSecond: number;
  readonly removesPerSecond: number;
}

/** Starts `pods` pods at once, then removes them at once. */
export async function measureConcurrent(subject: Subject, pods: number): Promise<ConcurrentResult> {
  const all = Array.from({ length: pods }, (_, index) => index);
  const began = performance.now();
  const started = await Promise.all(all.map(async () => startPod(subject)));
  const up = performance.now();
  await Promise.all(started.map(async (pod) => removePod(subject, pod)));
  const down = performance.now();
  return { totals: started.map(({ timing }) => timing.total), startsPerSecond: (pods * 1000) / (up - began), removesPerSecond: (pods * 1000) / (down - up) };
}
