/** The peer broke the protocol; its connection cannot go on. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}
