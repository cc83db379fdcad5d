import type { ListenOptions, Server } from 'node:net';

/** Resolves once the server listens there; rejects when it cannot. */
export async function listen(server: Server, where: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // It stays: a client that cannot be taken later, for want of memory or descriptors, sees that itself and must not end the daemon.
  server.on('error', reject);
  server.listen(where, resolve);
  await promise;
}

/** Stops listening; resolves once the last connection has ended. */
export async function stopListening(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => {
    resolve();
  });
  await promise;
}
