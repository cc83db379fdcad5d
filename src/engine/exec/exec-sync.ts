import { buildExecProcess } from '../../oci/runtime-spec/process.ts';
import type { ExecOutcome } from '../../shim/port.ts';
import { readSpec } from '../spec/bundle.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import type { ExecSyncRequest } from '../port.ts';
import { whileThawed } from './while-thawed.ts';

/** What the contract keeps of stdout and of stderr. */
const maxOutputBytes = 16 << 20;

/** See ContainerService.execSync. The process runs as the container's own does: user, capabilities, environment, directory. */
export function execSync(parts: EngineParts, request: ExecSyncRequest, signal: AbortSignal): Promise<ExecOutcome> {
  return observed(parts, 'exec-sync', () =>
    whileThawed(parts, request.containerId, async ({ container, task }) => {
      const { process } = await readSpec(parts.paths.bundle(container.id));
      return task.execSync({ process: buildExecProcess(process, request.command, false), timeoutMs: request.timeoutMs, maxOutputBytes }, signal);
    }, signal),
  );
}
