import { once } from 'node:events';
import { choose, offeredStreamProtocols } from '../negotiate.ts';
import type { Arrival, Plan, ServeContext } from '../plan.ts';
import { acceptSpdy } from '../spdy/accept.ts';
import { SpdyConnection, type SpdyOptions } from '../spdy/connection.ts';
import { acceptWebSocket, asByteStream, offeredProtocols } from '../websocket/accept.ts';
import { Channels, channelsCloseTimeoutMs } from '../websocket/channels.ts';
import type { Dial } from './pair.ts';
import { SpdyForward } from './spdy-forward.ts';
import { channelForwardCodecs, forwardChannels } from './web-socket-forward.ts';

const overSpdyName = 'portforward.k8s.io';
/** SPDY within the messages of a WebSocket. */
const tunnelName = 'SPDY/3.1+portforward.k8s.io';

/** Plans a forwarding of ports. `ports` are those of the request, which alone count where streams do not name one. */
export function planForward(arrival: Arrival, ports: readonly number[], dial: Dial, context: ServeContext): Plan {
  if (arrival.transport === 'spdy') {
    const name = choose(offeredStreamProtocols(arrival.request), [overSpdyName, '']);
    return typeof name === 'string' ? () => overSpdy(arrival, dial, context) : name;
  }
  const name = choose(offeredProtocols(arrival.request), [tunnelName, ...channelForwardCodecs.keys()]);
  if (typeof name !== 'string') return name;
  if (name === tunnelName) return () => overTunnel(arrival, dial, context);
  const asked = ports.length > 0 ? ports : portsOf(arrival.request.url ?? '');
  if (asked === undefined) return { code: 400, message: 'the query must name ports from 1 to 65535, as ?port=80' };
  return () => overChannels(arrival, name, { ports: asked, dial, context });
}

const maxPort = 65_535;
/** Two channels a port have to fit into the byte that numbers them. */
const maxPorts = 64;

function portsOf(url: string): readonly number[] | undefined {
  const texts = new URL(url, 'http://berth').searchParams.getAll('port').flatMap((value) => value.split(','));
  const ports = texts.map(Number);
  const valid = ports.length > 0 && ports.length <= maxPorts && ports.every((port) => Number.isInteger(port) && port > 0 && port <= maxPort);
  return valid ? ports : undefined;
}

async function overSpdy({ socket, head }: Arrival, dial: Dial, context: ServeContext): Promise<void> {
  await untilGone(acceptSpdy(socket, head, overSpdyName, spdyOptions(dial, context)), context.interrupt);
}

async function overTunnel(arrival: Arrival, dial: Dial, context: ServeContext): Promise<void> {
  const connection = await acceptWebSocket(arrival, tunnelName, (webSocket) => new SpdyConnection(asByteStream(webSocket), spdyOptions(dial, context)));
  if (connection !== undefined) await untilGone(connection, context.interrupt);
}

function spdyOptions(dial: Dial, { log, creationTimeoutMs, idleTimeoutMs }: ServeContext): SpdyOptions {
  const { accept } = new SpdyForward({ dial, log, creationTimeoutMs });
  return { log, idleTimeoutMs, accept };
}

async function untilGone(connection: SpdyConnection, interrupt: AbortSignal): Promise<void> {
  const stop = (): void => { void connection.finish(); };
  interrupt.addEventListener('abort', stop, { once: true });
  if (!connection.gone.aborted) await once(connection.gone, 'abort');
  interrupt.removeEventListener('abort', stop);
}

interface ChannelWork {
  readonly ports: readonly number[];
  readonly dial: Dial;
  readonly context: ServeContext;
}

async function overChannels(arrival: Arrival, name: string, { ports, dial, context }: ChannelWork): Promise<void> {
  const codec = channelForwardCodecs.get(name);
  if (codec === undefined) return;
  const { idleTimeoutMs, log } = context;
  const channels = await acceptWebSocket(arrival, name, (webSocket) => new Channels(webSocket, { codec, count: 2 * ports.length, canClose: false, idleTimeoutMs }), channelsCloseTimeoutMs);
  if (channels !== undefined) await forwardChannels(channels, { ports, dial, log });
}
