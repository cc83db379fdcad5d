import { BerthError } from '../../lib/errors.ts';
import { archiveNotes } from '../codec/archive-notes.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { CheckpointContainerRequest } from '../messages/container.ts';

export const checkpointContainer =
  ({ engine }: Door): Unary<CheckpointContainerRequest, Empty> =>
  async ({ containerId, location, timeout }, signal) => {
    if (timeout < 0n) throw new BerthError('invalid', `timeout must be 0 or more seconds, not ${timeout}`);
    const timeoutMs = timeout === 0n ? undefined : Number(timeout) * 1000;
    await engine.containers.checkpoint({ containerId: nonEmpty(containerId, 'container_id'), location: nonEmpty(location, 'location'), timeoutMs, notes: archiveNotes }, signal);
    return {};
  };
