import { createConnection, type Socket } from 'node:net';
import { BerthError } from '../errors.ts';

/**
 * Connects to a shim's address: `unix:///path`, or the bare name of an abstract socket as old shims give it.
 * @throws BerthError `not-found` when nobody listens there (any more), `unavailable` for another failure.
 */
export async function connectUnix(address: string, signal?: AbortSignal): Promise<Socket> {
  signal?.throwIfAborted();
  const socket = createConnection({ path: socketPath(address) });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => {
    reject(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  socket.once('connect', resolve);
  socket.once('error', reject);
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    throw connectError(error, address);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    socket.removeListener('error', reject);
  }
}

/** @throws BerthError `unimplemented` for vsock and the like. */
function socketPath(address: string): string {
  if (address.startsWith('unix://')) return address.slice('unix://'.length);
  if (address.includes('://')) throw new BerthError('unimplemented', `cannot connect to a shim at ${address}`, { hint: 'only unix sockets are supported' });
  return `\0${address}`;
}

function connectError(error: unknown, address: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return new BerthError('not-found', `nobody listens at ${address}`, { cause: error });
  if (typeof code === 'string') return new BerthError('unavailable', `cannot connect to ${address}`, { cause: error });
  return error;
}
