import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/**
 * A connection that the agent opens to us: CALL gives it the path of a socket in DIRECTORY, and resolves when it has
 * connected there. Rejects as CALL does.
 */
export async function meetAgent(directory: string, call: (path: string) => Promise<unknown>): Promise<Socket> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, randomBytes(8).toString('hex'));
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, accepted.resolve);
  server.listen(path);
  await once(server, 'listening');
  try {
    await call(path);
    return await accepted.promise;
  } catch (error) {
    // The agent may have come and its answer not.
    void accepted.promise.then((socket) => socket.destroy());
    throw error;
  } finally {
    // Removes the path, too; the connection lives on.
    server.close();
  }
}
