import { findContainer, field, type Context } from '../context.ts';

/** `berth exec`: runs a program to its end inside a container and ends with its exit code. */
export async function execInContainer(context: Context, container: string, command: readonly string[], options: { readonly timeout: string }): Promise<void> {
  const id = field(await findContainer(context, container), 'id');
  const reply = await context.cri.call('ExecSync', { container_id: id, cmd: command, timeout: options.timeout });
  const { stdout, stderr, exit_code: exitCode } = reply as { stdout: Buffer; stderr: Buffer; exit_code: number };
  if (context.json) {
    context.print({ stdout: stdout.toString(), stderr: stderr.toString(), exitCode }, () => '');
  } else {
    process.stdout.write(stdout);
    process.stderr.write(stderr);
  }
  process.exitCode = exitCode;
}
