/** How a channel number and its bytes are put into one message. */
export interface ChannelCodec {
  readonly binary: boolean;
  encode(channel: number, bytes: Buffer): Buffer;
  /** Channel and bytes; undefined for what is no message of this kind. */
  decode(message: Buffer): { readonly channel: number; readonly bytes: Buffer } | undefined;
}

/** The number in the first byte. */
export const binaryCodec: ChannelCodec = {
  binary: true,
  encode: (channel, bytes) => Buffer.concat([Buffer.of(channel), bytes]),
  decode: (message) => (message.length === 0 ? undefined : { channel: message.readUInt8(0), bytes: message.subarray(1) }),
};

const zero = '0'.charCodeAt(0);

/** For clients that can only send text: the number as a digit, then base64. */
export const base64Codec: ChannelCodec = {
  binary: false,
  encode: (channel, bytes) => Buffer.from(`${channel}${bytes.toString('base64')}`, 'latin1'),
  decode: (message) => {
    const channel = (message[0] ?? 0) - zero;
    return channel < 0 || channel > 9 ? undefined : { channel, bytes: Buffer.from(message.toString('latin1', 1), 'base64') };
  },
};
