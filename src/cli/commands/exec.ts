import type { Context } from '../context.ts';
import { findContainer } from '../find.ts';

interface ExecOptions {
  readonly timeout: number;
  readonly interactive?: boolean;
  readonly tty?: boolean;
}

/** `berth exec`: runs a program to its end inside a container and ends with its exit code. */
export async function execInContainer(context: Context, container: string, words: readonly string[], { timeout, interactive, tty }: ExecOptions): Promise<void> {
  if (interactive === true || tty === true) throw new Error(`berth exec gives a program neither input nor a terminal; for those: crictl exec -it ID ${words.join(' ')}`);
  const id = await findContainer(context, container);
  const command = words[0] === '--' ? words.slice(1) : words;
  if (command.length === 0) throw new Error('name a program to run after --');
  const reply = await context.cri.call('ExecSync', { container_id: id, cmd: command, timeout });
  const { stdout, stderr, exit_code: exitCode } = reply as { stdout: Buffer; stderr: Buffer; exit_code: number };
  if (context.json) {
    context.print({ stdout: stdout.toString(), stderr: stderr.toString(), exit_code: exitCode }, () => '');
  } else {
    process.stdout.write(stdout);
    process.stderr.write(stderr);
  }
  process.exitCode = exitCode;
}
