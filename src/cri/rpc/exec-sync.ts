import { BerthError } from '../../lib/errors.ts';
import { encodeExecOutput } from '../codec/exec-output.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { ExecSyncRequest, ExecSyncResponse } from '../messages/container.ts';

export const execSync =
  ({ engine }: Door): Unary<ExecSyncRequest, ExecSyncResponse> =>
  async ({ containerId, cmd, timeout }, signal) => {
    if (cmd.length === 0) throw new BerthError('invalid', 'cmd is empty');
    const timeoutMs = timeout > 0n ? Number(timeout) * 1000 : undefined;
    return encodeExecOutput(await engine.containers.execSync({ containerId: nonEmpty(containerId, 'container_id'), command: cmd, timeoutMs }, signal));
  };
