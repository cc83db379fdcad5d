import type { StreamChoice } from '../../engine/model/session.ts';
import { choose, offeredStreamProtocols } from '../negotiate.ts';
import type { Arrival, Plan, ServeContext } from '../plan.ts';
import { acceptSpdy } from '../spdy/accept.ts';
import { acceptWebSocket, offeredProtocols } from '../websocket/accept.ts';
import { channelsCloseTimeoutMs } from '../websocket/channels.ts';
import { spdyProtocols, webSocketProtocols } from './protocols.ts';
import { serveCommand, type Command } from './serve-command.ts';
import { SpdyStreams } from './spdy-streams.ts';
import { webSocketStreams } from './web-socket-streams.ts';

/** Plans an exec or an attachment. */
export function planCommand(arrival: Arrival, choice: StreamChoice, command: Command, context: ServeContext): Plan {
  const offered = arrival.transport === 'spdy' ? offeredStreamProtocols(arrival.request) : offeredProtocols(arrival.request);
  const protocols = arrival.transport === 'spdy' ? spdyProtocols : webSocketProtocols;
  const name = choose(offered, protocols.keys());
  if (typeof name !== 'string') return name;
  return arrival.transport === 'spdy' ? () => overSpdy(arrival, name, { choice, command, context }) : () => overWebSocket(arrival, name, { choice, command, context });
}

interface Work {
  readonly choice: StreamChoice;
  readonly command: Command;
  readonly context: ServeContext;
}

async function overSpdy({ socket, head }: Arrival, name: string, { choice, command, context }: Work): Promise<void> {
  const { idleTimeoutMs, creationTimeoutMs, interrupt, log } = context;
  const protocol = spdyProtocols.get(name) ?? { statusAsJson: false, resizes: false };
  const streams = new SpdyStreams(choice, protocol);
  const connection = acceptSpdy(socket, head, name, { idleTimeoutMs, accept: streams.accept, log });
  try {
    await serveCommand(await streams.collect(connection, creationTimeoutMs), command, interrupt, log);
  } finally {
    connection.destroy();
  }
}

async function overWebSocket(arrival: Arrival, name: string, { choice, command, context }: Work): Promise<void> {
  const protocol = webSocketProtocols.get(name);
  if (protocol === undefined) return;
  const streams = await acceptWebSocket(arrival, name, (webSocket) => webSocketStreams(webSocket, choice, protocol, context.idleTimeoutMs), channelsCloseTimeoutMs);
  if (streams !== undefined) await serveCommand(streams, command, context.interrupt, context.log);
}
