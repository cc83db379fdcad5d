import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asBerthError, BerthError } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { Waterfall, type Phase } from '../../lib/waterfall.ts';
import type { Task, TaskSpec } from '../../shim/port.ts';
import { containerFiles } from '../spec/checkpoint-files.ts';
import { dropRestored } from './drop-restored.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { publishContainer } from '../facts/publish.ts';
import type { Container } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import { observed, observePhases } from '../observed.ts';
import { prepareLogPlace } from './log-place.ts';
import { warmCgroups } from './warm-cgroups.ts';
import type { EngineParts } from '../parts.ts';
import { containerStarted, containerStarts } from '../plugins/container-hooks.ts';
import { handlerOf } from '../spec/handler-of.ts';
import { endLive, endTask } from './end-task.ts';
import { freezeTracers } from './freeze-tracers.ts';
import { checkPidTarget } from '../spec/pid-target.ts';
import { recordExit } from './record-exit.ts';
import { rootfsMounts } from '../spec/rootfs-mounts.ts';
import { readyRun } from './ready-run.ts';
import { releaseOwnPod } from '../sandboxes/own-pod.ts';
import { watchExit } from './watch-exit.ts';

/** What a failed start counts as, by custom of the peers. */
const startErrorCode = 128;
/** Many times what a start takes, and no more than another may well wait. */
const stuckMs = 500;

/** See ContainerService.start. */
export function startContainer(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<void> {
  return observed(parts, 'start-container', async () => {
    const { id } = parts.containers.get(idOrPrefix);
    const waterfall = new Waterfall(parts.clock);
    warmCgroups(parts);
    await parts.containerLocks.run(id, () => startInTurn(parts, id, waterfall, signal), signal);
  });
}

async function startInTurn(parts: EngineParts, id: ContainerId, waterfall: Waterfall, signal: AbortSignal): Promise<void> {
  checkStartable(parts, id);
  await parts.startPlaces.run(async (giveUp) => {
    waterfall.add('queue', waterfall.elapsedMs());
    // Its pod may have been stopped while it waited in line.
    checkStartable(parts, id);
    // The places share the processors: a start that takes so long waits for something else.
    const stuck = setTimeout(giveUp, stuckMs);
    try {
      await startNow(parts, id, waterfall, signal);
    } finally {
      clearTimeout(stuck);
    }
  }, signal);
  await containerStarted(parts, parts.containers.required(id));
}

function checkStartable(parts: EngineParts, id: ContainerId): void {
  const container = parts.containers.required(id);
  const { state, place } = container;
  const startable = place === 'given' ? ['created'] : ['created', 'exited'];
  if (!startable.includes(state)) throw new BerthError('precondition', `container ${id} is ${state}, and only one that is ${startable.join(' or ')} can be started`);
  const pod = parts.pods.required(container.podId);
  if (place !== 'own' && pod.state !== 'ready') {
    const hint = place === 'joined' ? `start container ${pod.ownedBy} first` : 'run the pod anew';
    throw new BerthError('precondition', `container ${id} cannot start: its pod ${container.podId} is not ready`, { hint });
  }
  // One that is not whole yet would run its program from the beginning, over half of its files.
  if (pod.restoring === true) {
    throw new BerthError('precondition', `container ${id} cannot start: its pod ${pod.id} is still being restored`, { hint: 'wait for the restore to end, or remove the pod and restore it again' });
  }
  if (place === 'given' && !existsSync(join(parts.paths.bundle(id), 'config.json'))) {
    throw new BerthError('precondition', `container ${id} cannot start: its bundle is gone`, { hint: 'remove the container and create it anew' });
  }
  checkPidTarget(parts, container.podId, container.config.security.namespaces);
}

async function startNow(parts: EngineParts, id: ContainerId, waterfall: Waterfall, caller: AbortSignal): Promise<void> {
  const before = parts.containers.required(id);
  // What a crash leaves of this start must not be taken for the run before.
  let container = parts.containers.transition(id, 'starting', { startedAtNs: undefined });
  const signal = AbortSignal.any([caller, parts.tasks.starting(id)]);
  let task: Task | undefined;
  let running: Container;
  // Neighbours run again once a failed start is undone, too.
  await using during = new AsyncDisposableStack();
  try {
    if (container.place !== 'given') container = await readyRun(parts, container, waterfall, signal);
    const ready = container;
    if (parts.nri.active) await waterfall.phase('plugins', () => containerStarts(parts, ready, signal));
    const limited = await freezeTracers(parts, ready, during, signal);
    task = await waterfall.phase('shim', () => launch(parts, ready, limited));
    // Remembered before it runs: a crash from here on finds it again.
    parts.containers.update(id, { task: task.handle });
    const started = task;
    await waterfall.phase('oci-start', () => started.start(limited));
    // What cannot be recorded must not run: nobody would watch it.
    running = recordStart(parts, ready, task, waterfall);
  } catch (error) {
    await failStart(parts, before, task, error);
    throw error;
  } finally {
    parts.tasks.started(id);
  }
  watchStarted(parts, running, task, waterfall);
}

async function launch(parts: EngineParts, container: Container, signal: AbortSignal): Promise<Task> {
  const pod = parts.pods.required(container.podId);
  return parts.shims.launch(handlerOf(parts, pod), await taskSpec(parts, pod, container, signal), signal);
}

async function taskSpec(parts: EngineParts, pod: Pod, container: Container, signal: AbortSignal): Promise<TaskSpec> {
  const { paths, config } = parts;
  const { id } = container;
  const { tty, stdin, stdinOnce } = container.config;
  return {
    id,
    bundle: paths.bundle(id),
    rootfs: rootfsMounts(parts, pod, container),
    terminal: tty,
    stdin,
    stdinOnce,
    logPath: container.logPath === '' ? undefined : await prepareLogPlace(parts, pod, container, signal),
    maxLogLineBytes: config.maxLogLineBytes,
    ...(container.restoreFrom === undefined ? {} : { checkpoint: join(container.restoreFrom, containerFiles.images) }),
  };
}

function recordStart(parts: EngineParts, { id, place, runs, waterfall: creation }: Container, task: Task, waterfall: Waterfall): Container {
  const phases = place === 'given' ? [...creation, ...after(creation, waterfall.phases())] : waterfall.phases();
  return parts.containers.transition(id, 'running', { startedAtNs: parts.clock.nowNs(), runs: runs + 1, exit: undefined, task: task.handle, waterfall: phases });
}

function watchStarted(parts: EngineParts, container: Container, task: Task, waterfall: Waterfall): void {
  const { id } = container;
  const live = parts.tasks.add(id, task);
  observePhases(parts, 'start-container', waterfall);
  publishContainer(parts, 'started', container);
  watchExit(parts, id, live);
  dropRestored(parts, container);
  parts.background.run('asking a shim how its start went', { container: id }, (signal) => addShimPhases(parts, { id, task }, waterfall, signal));
}

/** Places a start behind the creation, without the time that the client let pass between them. */
function after(creation: readonly Phase[], start: readonly Phase[]): readonly Phase[] {
  const endMs = Math.max(0, ...creation.map(({ startMs, durationMs }) => startMs + durationMs));
  return start.map((phase) => ({ ...phase, startMs: phase.startMs + endMs }));
}

/** What happened inside the shim, which is asked once nobody waits for the start any more. */
async function addShimPhases(parts: EngineParts, of: { readonly id: ContainerId; readonly task: Task }, waterfall: Waterfall, signal: AbortSignal): Promise<void> {
  const micros = await of.task.startPhases(signal);
  const { waterfall: known } = parts.containers.required(of.id);
  const startOf = (wanted: string): number => known.find(({ name }) => name === wanted)?.startMs ?? waterfall.elapsedMs();
  // A shim that runs the runtime once does so within our call of its Start; all else happens while it is launched.
  const within = (name: string): string => (name === 'oci-run' || name === 'oci-start' ? 'oci-start' : 'shim');
  const phases = Object.entries(micros).map(([name, durationMs]) => ({ name: name === 'oci-start' ? 'oci-start in shim' : name, startMs: startOf(within(name)), durationMs }));
  for (const { name, durationMs } of phases) parts.observer.startPhase('start-container', name, durationMs / 1000);
  parts.containers.update(of.id, { waterfall: [...known, ...phases] });
}

/**
 * In a given pod a failed start is final: the container has exited, with the reason in its status, once nothing of it lives any
 * more. Elsewhere it is what it was before.
 */
async function failStart(parts: EngineParts, before: Container, task: Task | undefined, cause: unknown): Promise<void> {
  const { id } = before;
  const { text } = asBerthError(cause, `container ${id} could not start`);
  const record = async (): Promise<void> => {
    if (before.place === 'given') recordExit(parts, id, { exitCode: startErrorCode, finishedAtNs: parts.clock.nowNs(), reason: 'StartError', message: text });
    else await takeBack(parts, before);
  };
  try {
    if (task !== undefined) await endLive(parts, id, parts.tasks.add(id, task), cleanUpSignal());
    await record();
  } catch (error) {
    // The disk may be full, perhaps the reason for all of this. Whoever stops the container meanwhile ends it, too.
    parts.log.warn({ container: id, err: error }, 'a failed start could not be undone and recorded; it is tried again');
    parts.background.retry('ending a failed start', { container: id }, (signal) => endLater(parts, id, record, signal));
  }
}

async function takeBack(parts: EngineParts, { id, place, podId, exit, startedAtNs }: Container): Promise<void> {
  if (place === 'own') await releaseOwnPod(parts, podId, cleanUpSignal());
  parts.containers.transition(id, exit === undefined ? 'created' : 'exited', { task: undefined, startedAtNs });
}

function endLater(parts: EngineParts, id: ContainerId, record: () => Promise<void>, signal: AbortSignal): Promise<void> {
  return parts.containerLocks.run(
    id,
    async () => {
      if (parts.containers.peek(id)?.state !== 'starting') return;
      await endTask(parts, id, signal);
      await record();
    },
    signal,
  );
}
