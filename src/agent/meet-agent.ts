import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { BerthError } from '../lib/errors.ts';

/** The agent has connected before it answers; where no descriptor was left for its connection, that is lost. */
const acceptMs = 5000;

/**
 * A connection that the agent opens to us: CALL gives it the path of a socket in DIRECTORY, and resolves when it has
 * connected there. Rejects as CALL does, and `unavailable` when it says so and no connection is there.
 */
export async function meetAgent(directory: string, call: (path: string) => Promise<unknown>, patienceMs = acceptMs): Promise<Socket> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, randomBytes(8).toString('hex'));
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, accepted.resolve);
  server.listen(path);
  await once(server, 'listening');
  // A connection that cannot be taken is missed soon enough.
  server.on('error', () => undefined);
  try {
    await call(path);
    return await within(patienceMs, accepted.promise);
  } catch (error) {
    // The agent may have come and its answer not.
    void accepted.promise.then((socket) => socket.destroy());
    throw error;
  } finally {
    // Removes the path, too; the connection lives on.
    server.close();
  }
}

async function within(ms: number, connection: Promise<Socket>): Promise<Socket> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => { late.reject(new BerthError('unavailable', "the agent's connection was lost on its way")); }, ms);
  try {
    return await Promise.race([connection, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
