import type { Agent } from '../native/port.ts';

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
  await agent.exec({ argv: [systemdNotify, state], env: { NOTIFY_SOCKET: socket }, timeoutMs });
}
