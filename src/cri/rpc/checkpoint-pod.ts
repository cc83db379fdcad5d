import { BerthError } from '../../lib/errors.ts';
import { archiveNotes } from '../codec/archive-notes.ts';
import { noOptions } from '../codec/no-options.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { CheckpointPodRequest } from '../messages/checkpoint.ts';
import type { Empty } from '../messages/common.ts';

/** All containers stand still meanwhile, so the client must say how long it would accept that. */
export const checkpointPod =
  ({ engine }: Door): Unary<CheckpointPodRequest, Empty> =>
  async ({ podSandboxId, outputPath, containerIds, options }, signal, deadlineMs) => {
    if (!Number.isFinite(deadlineMs)) throw new BerthError('invalid', 'CheckpointPod needs a deadline', { hint: 'set one for the call' });
    noOptions(options);
    await engine.pods.checkpoint({ podId: nonEmpty(podSandboxId, 'pod_sandbox_id'), directory: nonEmpty(outputPath, 'output_path'), containerIds, notes: archiveNotes }, signal);
    return {};
  };
