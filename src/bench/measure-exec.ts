import { removePod, startPod } from './start-pod.ts';
import { criOf, type Subject } from './subject.ts';

/** Milliseconds of each ExecSync of `true` in a running container; one more comes first that does not count. */
export async function measureExec(subject: Subject, execs: number): Promise<readonly number[]> {
  const started = await startPod(subject);
  const samples: number[] = [];
  for (let index = 0; index <= execs; index += 1) {
    const began = performance.now();
    const { exit_code: code } = await criOf(subject).execSync(started.container, ['true']);
    if (code !== 0) throw new Error(`true exited ${code} on ${subject.name}`);
    if (index > 0) samples.push(performance.now() - began);
  }
  await removePod(subject, started);
  return samples;
}
