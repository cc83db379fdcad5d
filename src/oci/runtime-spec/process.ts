import { BerthError } from '../../lib/errors.ts';
import type { ProcessInput } from './input.ts';
import type { OciProcess } from './types.ts';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `ENTRYPOINT [""]` is how a Dockerfile gets rid of what its base image starts. */
const isReset = (entrypoint: readonly string[]): boolean => entrypoint.length === 1 && entrypoint[0] === '';

/**
 * The argument vector: a command replaces the image's entrypoint and cmd, arguments alone replace its cmd
 * (Kubernetes' and Docker's rule).
 */
export function processArgs(input: Pick<ProcessInput, 'command' | 'args' | 'image'>): readonly string[] {
  const { command, args, image } = input;
  if (command.length > 0) return [...command, ...args];
  const argv = [...(isReset(image.entrypoint) ? [] : image.entrypoint), ...(args.length > 0 ? args : image.cmd)];
  if (argv.length === 0) {
    throw new BerthError('invalid', 'no command specified', {
      hint: 'the image has neither entrypoint nor cmd, so give the container a command',
    });
  }
  return argv;
}

/**
 * The image's variables, HOSTNAME, then the request's; a later value replaces an earlier one in its place. What an image
 * names without a value is left out, as in containerd: OCI runtimes refuse it.
 */
export function processEnv(input: Pick<ProcessInput, 'envs' | 'image' | 'hostname' | 'tty'>): readonly string[] {
  const entries = new Map<string, string>();
  const set = (entry: string): void => {
    const end = entry.indexOf('=');
    if (end >= 0) entries.set(entry.slice(0, end), entry);
  };
  set(defaultPath);
  if (input.tty) set('TERM=xterm');
  for (const entry of input.image.env) set(entry);
  if (input.hostname !== '') set(`HOSTNAME=${input.hostname}`);
  for (const { key, value } of input.envs) set(`${key}=${value}`);
  return [...entries.values()];
}

/** The process of an exec: the container's own user, environment, capabilities and directory with other arguments. */
export function buildExecProcess(container: OciProcess, args: readonly string[], terminal: boolean): OciProcess {
  const env = terminal && !container.env.some((entry) => entry.startsWith('TERM=')) ? [...container.env, 'TERM=xterm'] : container.env;
  return { ...container, args, terminal, env };
}
