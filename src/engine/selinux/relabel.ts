import { BerthError } from '../../lib/errors.ts';
import type { Agent } from '../../agent/port.ts';
import { isConfined, type SelinuxLabels } from '../../oci/runtime-spec/selinux.ts';

/** Taking one of these from the node's own programs would leave it unusable. */
const ofTheNode = new Set(['/', '/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib64', '/media', '/opt', '/proc', '/root', '/run', '/sbin', '/srv', '/sys', '/tmp', '/usr', '/usr/bin', '/usr/lib', '/var', '/var/lib', '/var/log']);

/** Gives files, and all below them, the label that lets a container use them. A file system without labels stays as it is. */
export async function relabel(agent: Pick<Agent, 'exec'>, labels: SelinuxLabels | undefined, paths: readonly string[], signal: AbortSignal): Promise<void> {
  if (labels === undefined || paths.length === 0 || !isConfined(labels)) return;
  const refused = paths.find((path) => ofTheNode.has(path));
  if (refused !== undefined) throw new BerthError('invalid', `${refused} is the node's own and is not relabelled for SELinux`, { hint: 'mount a directory below it' });
  const { exitCode, stderr } = await agent.exec({ argv: ['/usr/bin/chcon', '--recursive', '--no-dereference', labels.mount, ...paths], env: { LC_ALL: 'C' } }, signal);
  const said = new TextDecoder().decode(stderr).trim();
  if (exitCode === 0 || said.split('\n').every((line) => line.endsWith('Operation not supported'))) return;
  throw new BerthError('internal', `${paths.join(', ')} could not be relabelled for SELinux: ${said}`);
}
