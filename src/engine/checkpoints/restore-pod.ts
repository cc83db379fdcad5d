import { isAbsolute, join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { stringsField } from '../../lib/json-fields.ts';
import type { RestoredPod, RestoreRequest } from '../model/checkpoint.ts';
import type { Container } from '../model/container.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { podName } from '../stores/pod-store.ts';
import { runPod } from '../pods/run-pod.ts';
import { abandonRestored } from './abandon-restored.ts';
import { fitsFile, podFiles, readJson } from '../spec/checkpoint-files.ts';
import { checkSupported } from './check-supported.ts';
import { restoreContainer } from './restore-container.ts';

/** See PodService.restore. */
export function restorePod(parts: EngineParts, request: RestoreRequest, signal: AbortSignal): Promise<RestoredPod> {
  return observed(parts, 'restore-pod', async () => {
    await checkAnswers(parts, request.directory, signal);
    checkNames(request);
    checkSupported(parts, request);
    return parts.restoreFlights.run(podName(request.config), (attempt) => restore(parts, request, attempt), signal);
  });
}

/** What is read on the way must answer: the directory and the file that says what is in it. */
async function checkAnswers({ hostPaths }: EngineParts, directory: string, signal: AbortSignal): Promise<void> {
  if (!isAbsolute(directory)) throw new BerthError('invalid', `the directory of a checkpoint must be an absolute path and is "${directory}"`);
  await hostPaths.look({ path: join(directory, podFiles.options) }, signal);
}

function checkNames({ directory, containers }: RestoreRequest): void {
  const what = `the checkpoint ${directory}`;
  const saved = stringsField(readJson(directory, podFiles.options, what), 'containers', what).toSorted();
  const asked = containers.map(({ name }) => name).toSorted();
  const unfit = asked.find((name) => !fitsFile(name));
  if (unfit !== undefined) throw new BerthError('invalid', `no checkpoint holds a container called "${unfit}"`);
  if (asked.length === saved.length && asked.every((name, index) => name === saved[index])) return;
  throw new BerthError('invalid', `the checkpoint holds the containers ${saved.join(', ')}, but the configs are for ${asked.join(', ') || 'none'}`, {
    hint: 'give exactly one config for each container of the checkpoint',
  });
}

async function restore(parts: EngineParts, { directory, config, containers }: RestoreRequest, signal: AbortSignal): Promise<RestoredPod> {
  const { id } = await runPod(parts, config, signal);
  try {
    // Before its first container: whoever finds one finds the mark.
    const pod = parts.pods.update(id, { restoring: true });
    const restored: Container[] = [];
    for (const container of containers) restored.push(await restoreContainer(parts, pod, { directory, config: container }, signal));
    signal.throwIfAborted();
    return { pod: parts.pods.update(id, { restoring: false }), containers: restored };
  } catch (error) {
    await abandonRestored(parts, id);
    throw error;
  }
}
