import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { runningTask } from '../containers/running-task.ts';
import type { CheckpointRequest } from '../model/checkpoint.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { checkSupported } from './check-supported.ts';
import { dumpContainer, type DumpTarget } from './dump-container.ts';
import { withTimeLimit } from './time-limit.ts';
import { whilePaused } from './while-paused.ts';

/** See ContainerService.checkpoint. */
export async function checkpointContainer(parts: EngineParts, { containerId, location, timeoutMs, notes }: CheckpointRequest, signal: AbortSignal): Promise<void> {
  await observed(parts, 'checkpoint-container', async () => {
    const target = runningTask(parts, containerId);
    const { id, podId } = target.container;
    await checkLocation(parts, location, signal);
    checkSupported(parts, parts.pods.required(podId));
    await withTimeLimit(signal, timeoutMs, `the checkpoint of container ${id}`, async (limited) => {
      const attempt = parts.checkpointLocks.run(id, () => checkpoint(parts, target, { location, notes }, limited), limited);
      // A caller who leaves does not wait until a dump is over, which nothing can cut short.
      await abortable(attempt, limited);
    });
  });
}

async function checkLocation({ hostPaths }: EngineParts, location: string, signal: AbortSignal): Promise<void> {
  if (!isAbsolute(location)) throw new BerthError('invalid', `location must be an absolute path and is "${location}"`);
  const [above, there] = await Promise.all([dirname(location), location].map((path) => hostPaths.look({ path }, signal)));
  if (above?.kind !== 'directory') {
    throw new BerthError('invalid', `the directory of the checkpoint's location ${location} does not exist`, { hint: 'make it first' });
  }
  if (there?.kind === 'directory') throw new BerthError('invalid', `the checkpoint's location ${location} is a directory`, { hint: 'name a file' });
}

async function checkpoint(parts: EngineParts, target: DumpTarget, { location, notes }: Pick<CheckpointRequest, 'location' | 'notes'>, signal: AbortSignal): Promise<void> {
  const { id } = target.container;
  const staging = parts.paths.checkpoint(id);
  const fresh = join(dirname(location), `.${basename(location)}.${randomUUID()}`);
  try {
    // Whatever a checkpoint left that a crash cut short.
    await parts.agent.removeTree(staging, signal);
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    await whilePaused(parts, [target.task], () => dumpContainer(parts, target, { directory: staging, notes }, signal));
    await parts.agent.archive({ source: staging, target: fresh, overlayUpper: false });
    signal.throwIfAborted();
    renameSync(fresh, location);
  } finally {
    rmSync(fresh, { force: true });
    await parts.agent.removeTree(staging, cleanUpSignal());
  }
}
