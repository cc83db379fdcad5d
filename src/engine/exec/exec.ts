import { buildExecProcess } from '../../oci/runtime-spec/process.ts';
import { readSpec } from '../spec/bundle.ts';
import type { Session } from '../model/session.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import type { ExecRequest } from '../port.ts';
import { whileThawed } from './while-thawed.ts';

/** See ContainerService.exec. The process runs as the container's own does: user, capabilities, environment, directory. */
export function exec(parts: EngineParts, { containerId, command, streams }: ExecRequest, signal: AbortSignal): Promise<Session> {
  return observed(parts, 'exec', () =>
    whileThawed(parts, containerId, async ({ container, task }) => {
      const { process } = await readSpec(parts.paths.bundle(container.id));
      return task.exec({ process: buildExecProcess(process, command, streams.tty), streams: { ...streams, stderr: streams.stderr && !streams.tty } }, signal);
    }, signal),
  );
}
