import type { Logger } from '../../telemetry/log.ts';
import { base64Codec, binaryCodec, type ChannelCodec } from '../websocket/channel-codec.ts';
import type { Channels } from '../websocket/channels.ts';
import { forwardPair, type Dial } from './pair.ts';

/** Subprotocols of port forwarding in channels, without SPDY; '' is a client that asks for none. */
export const channelForwardCodecs: ReadonlyMap<string, ChannelCodec> = new Map([
  ['v4.channel.k8s.io', binaryCodec],
  ['v4.base64.channel.k8s.io', base64Codec],
  ['', binaryCodec],
]);

export interface ChannelForwardOptions {
  readonly ports: readonly number[];
  readonly dial: Dial;
  readonly log: Logger;
}

/** Forwards ports over two channels each, data and error, which both begin with the port in two bytes. Resolves when all are done. */
export async function forwardChannels(channels: Channels, { ports, dial, log }: ChannelForwardOptions): Promise<void> {
  await Promise.all(
    ports.map(async (port, index) => {
      const [data, error] = channels.streams.slice(2 * index, 2 * index + 2);
      if (data === undefined || error === undefined) return;
      const name = Buffer.alloc(2);
      name.writeUInt16LE(port);
      for (const stream of [data, error]) stream.write(name);
      // The client cannot tell that it is done, so a connection is over when the pod's side is.
      data.once('finish', () => { data.endReading(); });
      await forwardPair({ port, data, error }, dial, channels.gone, log);
    }),
  );
  await channels.finish();
}
