import type { Readable } from 'node:stream';
import { BerthError } from '../lib/errors.ts';
import { longestTimerMs } from '../lib/long-sleep.ts';
import { openExec } from './exec-session.ts';
import type { ExecOutcome, ExecSpec, Session } from './port.ts';
import { callMs, type ShimParts, type ShimTarget } from './shim-parts.ts';

/**
 * Runs a process in a foreign shim's container to its end, with FIFOs as its outputs, which every shim knows.
 * @throws BerthError `timeout` after `timeoutMs`, or the signal's reason; the process is dead by then. `unavailable` when the shim goes.
 */
export async function execCollected(parts: ShimParts, target: ShimTarget, spec: ExecSpec, signal?: AbortSignal): Promise<ExecOutcome> {
  const deadline = spec.timeoutMs === undefined || spec.timeoutMs > longestTimerMs ? undefined : AbortSignal.timeout(spec.timeoutMs);
  const ends = AbortSignal.any([signal, deadline].filter((each) => each !== undefined));
  const session = await open(parts, target, spec, ends).catch((error: unknown) => {
    throw deadline?.aborted === true && signal?.aborted !== true ? timedOut(target, spec) : error;
  });
  const late = Promise.withResolvers<undefined>();
  ends.addEventListener('abort', () => late.resolve(undefined), { once: true });
  if (ends.aborted) late.resolve(undefined);
  const outcome = await Promise.race([collect(session, spec.maxOutputBytes), late.promise]);
  await session.close();
  if (outcome !== undefined) return outcome;
  signal?.throwIfAborted();
  if (deadline?.aborted === true) throw timedOut(target, spec);
  throw new BerthError('unavailable', `the shim of container ${target.handle.id} went while it ran the command`);
}

/** The OCI runtime's time counts, too. A shim that minds deadlines ends it itself. */
function open(parts: ShimParts, target: ShimTarget, { process, timeoutMs = callMs.start }: ExecSpec, ends: AbortSignal): Promise<Session> {
  const streams = { stdin: false, stdout: true, stderr: true, tty: false };
  return openExec(parts, target, { process, streams, startMs: Math.min(callMs.start, timeoutMs) }, ends);
}

function timedOut(target: ShimTarget, { timeoutMs = 0 }: ExecSpec): BerthError {
  return new BerthError('timeout', `command timed out after ${timeoutMs / 1000} s in container ${target.handle.id}`);
}

/** Undefined when nobody knows how the process ended. */
async function collect({ stdout, stderr, exit }: Session, maxBytes: number): Promise<ExecOutcome | undefined> {
  const [out, err, exitCode] = await Promise.all([head(stdout, maxBytes), head(stderr, maxBytes), exit]);
  return exitCode === undefined ? undefined : { stdout: out, stderr: err, exitCode };
}

/** Reads to the end, which a session that is closed has, too, and keeps the beginning. */
async function head(stream: Readable | undefined, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let left = maxBytes;
  stream?.on('data', (chunk: Buffer) => {
    if (left > 0) chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
  });
  if (stream !== undefined) await new Promise((resolve) => stream.once('close', resolve));
  return Buffer.concat(chunks);
}
