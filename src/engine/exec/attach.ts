import { runningTask } from '../containers/running-task.ts';
import type { Session, StreamChoice } from '../model/session.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';

/** See ContainerService.attach. */
export function attach(parts: EngineParts, id: string, wanted: StreamChoice, signal: AbortSignal): Promise<Session> {
  return observed(parts, 'attach', async () => {
    const { container, task } = runningTask(parts, id);
    const { tty, stdin, stdinOnce } = container.config;
    // A terminal has no end of input that the container could be told of.
    return task.attach({ tty, endsWithInput: !stdinOnce || tty, stdin: wanted.stdin && stdin, stdout: wanted.stdout, stderr: wanted.stderr && !tty }, signal);
  });
}
