import type { ExecOutcome } from '../../shim/port.ts';
import type { ExecSyncResponse } from '../messages/container.ts';

/** A client takes 16 MiB; the rest is for tags, lengths and the exit code. */
const maxOutputBytes = (16 << 20) - 64;

/** Cuts output that would not fit one message. Each stream gets what the other leaves, and half of it at least. */
export function encodeExecOutput({ stdout, stderr, exitCode }: ExecOutcome): ExecSyncResponse {
  const half = maxOutputBytes / 2;
  const keepErr = Math.min(stderr.length, Math.max(half, maxOutputBytes - stdout.length));
  return { stdout: stdout.subarray(0, maxOutputBytes - keepErr), stderr: stderr.subarray(0, keepErr), exitCode };
}
