import { removePod, startPod } from './start-pod.ts';
import { readWaterfalls, type Waterfall } from './read-waterfalls.ts';
import type { PodTiming, Subject } from './subject.ts';

/** What one subject showed in one round. Milliseconds. */
export interface SerialResult {
  readonly starts: readonly PodTiming[];
  readonly removes: readonly number[];
  readonly waterfalls: readonly Waterfall[];
}

/** Starts and removes pods one after another. One more comes first that does not count. */
export async function measureSerial(subject: Subject, pods: number): Promise<SerialResult> {
  await removePod(subject, await startPod(subject));
  const starts: PodTiming[] = [];
  const removes: number[] = [];
  const waterfalls: Waterfall[] = [];
  for (let index = 0; index < pods; index += 1) {
    const started = await startPod(subject);
    starts.push(started.timing);
    waterfalls.push(...(await readWaterfalls(subject, started)));
    removes.push(await removePod(subject, started));
  }
  return { starts, removes, waterfalls };
}
