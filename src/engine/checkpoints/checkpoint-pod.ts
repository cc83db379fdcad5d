import { mkdirSync, readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { runningTask } from '../containers/running-task.ts';
import type { ArchiveNotes, PodCheckpointRequest } from '../model/checkpoint.ts';
import type { Pod } from '../model/pod.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { archiveName, fitsFile, podFiles, writeJson } from '../spec/checkpoint-files.ts';
import { checkSupported } from './check-supported.ts';
import { dumpContainer, type DumpTarget } from './dump-container.ts';
import { whilePaused } from './while-paused.ts';

/** See PodService.checkpoint. */
export async function checkpointPod(parts: EngineParts, { podId, directory, containerIds, notes }: PodCheckpointRequest, signal: AbortSignal): Promise<void> {
  await observed(parts, 'checkpoint-pod', async () => {
    const pod = parts.pods.get(podId);
    if (pod.state !== 'ready') throw new BerthError('precondition', `pod ${pod.id} is ${pod.state}, and only a ready one can be checkpointed`);
    const targets = chosenTargets(parts, pod, containerIds);
    await checkOutput(parts, directory, signal);
    checkSupported(parts, pod);
    const ids = targets.map(({ container }) => container.id).toSorted();
    // A caller who leaves does not wait until a dump is over, which nothing can cut short.
    await abortable(inTurn(parts, ids, () => writeOrClean(parts, { pod, targets, output: openOutput(directory), notes }, signal), signal), signal);
  });
}

function chosenTargets(parts: EngineParts, pod: Pod, containerIds: readonly string[]): readonly DumpTarget[] {
  const running = parts.containers.ofPod(pod.id).filter(({ state }) => state === 'running');
  const targets = (containerIds.length > 0 ? [...new Set(containerIds)] : running.map(({ id }) => id)).map((id) => runningTask(parts, id));
  const stranger = targets.find(({ container }) => container.podId !== pod.id);
  if (stranger !== undefined) throw new BerthError('invalid', `container ${stranger.container.id} is not one of pod ${pod.id}`);
  if (targets.length === 0) throw new BerthError('precondition', `pod ${pod.id} has no running container to checkpoint`);
  checkNames(targets.map(({ container }) => container.config.name));
  return targets;
}

/** Names become files. */
function checkNames(names: readonly string[]): void {
  const unfit = names.find((name, index) => !fitsFile(name) || names.indexOf(name) !== index);
  if (unfit !== undefined) throw new BerthError('invalid', `a container called "${unfit}" cannot be part of a pod's checkpoint`, { hint: 'names must be unique, of letters, digits, "-", "_" and "."' });
}

interface Output {
  readonly directory: string;
  /** The outermost directory that was made for it. */
  readonly made: string | undefined;
}

/** It is made and read on the thread that everything runs on, so it must answer. */
async function checkOutput({ hostPaths }: EngineParts, directory: string, signal: AbortSignal): Promise<void> {
  if (!isAbsolute(directory)) throw new BerthError('invalid', `the directory of a checkpoint must be an absolute path and is "${directory}"`);
  await hostPaths.look({ path: directory }, signal);
}

function openOutput(directory: string): Output {
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (readdirSync(directory).length > 0) throw new BerthError('already-exists', `the directory ${directory} of the checkpoint is not empty`, { hint: 'name a new directory for each checkpoint' });
  return { directory, made };
}

/** Holds the locks of all containers, taken in one order everywhere. */
async function inTurn<Result>(parts: EngineParts, [first, ...others]: readonly ContainerId[], work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  if (first === undefined) return work();
  return parts.checkpointLocks.run(first, () => inTurn(parts, others, work, signal), signal);
}

interface PodDump {
  readonly pod: Pod;
  readonly targets: readonly DumpTarget[];
  readonly output: Output;
  readonly notes: ArchiveNotes;
}

async function writeOrClean(parts: EngineParts, dump: PodDump, signal: AbortSignal): Promise<void> {
  try {
    await write(parts, dump, signal);
    signal.throwIfAborted();
  } catch (error) {
    await clean(parts, dump.output);
    throw error;
  }
}

async function write(parts: EngineParts, { pod, targets, output: { directory }, notes }: PodDump, signal: AbortSignal): Promise<void> {
  const staging = ({ container }: DumpTarget): string => join(directory, `.${container.config.name}`);
  await whilePaused(parts, targets.map(({ task }) => task), async () => {
    for (const target of targets) await dumpContainer(parts, target, { directory: staging(target), notes }, signal);
  });
  for (const target of targets) {
    signal.throwIfAborted();
    await parts.agent.archive({ source: staging(target), target: join(directory, archiveName(target.container.config.name)), overlayUpper: false });
    await parts.agent.removeTree(staging(target), signal);
  }
  const { door, hostname } = pod.config;
  writeJson(directory, podFiles.config, { ...door, hostname });
  writeJson(directory, podFiles.options, { version: 1, containers: targets.map(({ container }) => container.config.name), mountLabel: '', processLabel: '' });
}

async function clean(parts: EngineParts, { directory, made }: Output): Promise<void> {
  try {
    const trees = made === undefined ? readdirSync(directory).map((name) => join(directory, name)) : [made];
    for (const tree of trees) await parts.agent.removeTree(tree, cleanUpSignal());
  } catch (error) {
    parts.log.warn({ directory, err: error }, 'what a failed checkpoint wrote could not be removed');
  }
}
