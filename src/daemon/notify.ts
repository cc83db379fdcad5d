import { BerthError } from '../lib/errors.ts';
import type { Agent } from '../agent/port.ts';

const systemdNotify = '/usr/bin/systemd-notify';
const timeoutMs = 5000;

/**
 * Tells systemd a state such as `--ready` or `--stopping`. NOTIFY_SOCKET takes datagrams, which Node cannot send on unix
 * sockets, so the agent runs systemd's own tool; the unit allows that with NotifyAccess=all. Without a NOTIFY_SOCKET nobody
 * waits and nothing is done.
 */
export async function notifySystemd(agent: Pick<Agent, 'exec'>, state: '--ready' | '--stopping'): Promise<void> {
  const socket = process.env['NOTIFY_SOCKET'];
  if (socket === undefined) return;
  const { exitCode, stderr } = await agent.exec({ argv: [systemdNotify, state], env: { NOTIFY_SOCKET: socket }, timeoutMs });
  if (exitCode !== 0) throw new BerthError('internal', `${systemdNotify} ${state} ended with ${exitCode}: ${Buffer.from(stderr).toString().trim()}`);
}
