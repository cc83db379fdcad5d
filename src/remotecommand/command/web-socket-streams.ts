import type { StreamChoice } from '../../engine/model/session.ts';
import { Channels } from '../websocket/channels.ts';
import type { WebSocket } from '../websocket/accept.ts';
import { endAll, type ClientStreams } from './client-streams.ts';
import type { WebSocketProtocol } from './protocols.ts';
import { encodeStatus } from './status.ts';

const channelCount = 5;

/** The streams of a command as the numbered channels of a WebSocket: stdin, stdout, stderr, error, resize. */
export function webSocketStreams(webSocket: WebSocket, choice: StreamChoice, protocol: WebSocketProtocol, idleTimeoutMs: number): ClientStreams {
  const { codec, canClose, statusAsJson } = protocol;
  const channels = new Channels(webSocket, { codec, count: channelCount, canClose, idleTimeoutMs });
  const [stdin, stdout, stderr, error, resize] = channels.streams;
  // What nobody reads must not fill up.
  for (const unread of [choice.stdin ? undefined : stdin, stdout, stderr, error]) unread?.resume();
  // An empty message on the first channel tells the client that it is connected.
  channels.send(choice.stdout ? 1 : choice.stderr ? 2 : 3, Buffer.alloc(0), () => undefined);
  return {
    stdin: choice.stdin ? stdin : undefined,
    stdout: choice.stdout ? stdout : undefined,
    stderr: choice.stderr ? stderr : undefined,
    resize,
    gone: channels.gone,
    finish: async (status) => {
      await endAll([stdout, stderr]);
      const text = encodeStatus(status, statusAsJson);
      if (text !== '') error?.write(text);
      await endAll([error]);
      await channels.finish();
    },
    destroy: () => { channels.destroy(); },
  };
}
