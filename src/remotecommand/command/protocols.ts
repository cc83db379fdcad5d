import { base64Codec, binaryCodec, type ChannelCodec } from '../websocket/channel-codec.ts';

/** What the versions of the protocol for commands differ in. */
export interface CommandProtocol {
  /** Whether the error stream carries a status in JSON, with the exit code. */
  readonly statusAsJson: boolean;
  /** Whether there is a stream for the terminal's size. */
  readonly resizes: boolean;
}

/** Over SPDY, by the names of X-Stream-Protocol-Version. */
export const spdyProtocols: ReadonlyMap<string, CommandProtocol> = new Map([
  ['v4.channel.k8s.io', { statusAsJson: true, resizes: true }],
  ['v3.channel.k8s.io', { statusAsJson: false, resizes: true }],
  ['v2.channel.k8s.io', { statusAsJson: false, resizes: false }],
  ['channel.k8s.io', { statusAsJson: false, resizes: false }],
]);

export interface WebSocketProtocol {
  readonly statusAsJson: boolean;
  readonly codec: ChannelCodec;
  /** Whether the client can end its stdin and keep the connection. */
  readonly canClose: boolean;
}

const oldest: WebSocketProtocol = { statusAsJson: false, codec: binaryCodec, canClose: false };

/** Over WebSocket, by subprotocol; '' is a client that asks for none. */
export const webSocketProtocols: ReadonlyMap<string, WebSocketProtocol> = new Map([
  ['v5.channel.k8s.io', { statusAsJson: true, codec: binaryCodec, canClose: true }],
  ['v4.channel.k8s.io', { statusAsJson: true, codec: binaryCodec, canClose: false }],
  ['v4.base64.channel.k8s.io', { statusAsJson: true, codec: base64Codec, canClose: false }],
  ['channel.k8s.io', oldest],
  ['base64.channel.k8s.io', { statusAsJson: false, codec: base64Codec, canClose: false }],
  ['', oldest],
]);
