/**
 * An agent for tests of the supervisor: answers Info and Exec on fd 3, logs a line and ends with its socket. Exec of
 * "hang" never answers.
 */
import { Socket } from 'node:net';
import { serveTtrpc, TtrpcRoutes } from '../../lib/ttrpc/server.ts';
import { agentMethods } from '../methods.ts';

const methods = agentMethods();
const info = { version: 'fake', pid: process.pid, idmappedMounts: false, cgroupMode: 'hybrid' };
const socket = new Socket({ fd: 3 });

process.stderr.write(`${JSON.stringify({ time: 5, level: 'warn', msg: 'hello', arguments: process.argv.slice(2) })}\nno json\n`);
serveTtrpc(
  socket,
  new TtrpcRoutes()
    .handle(methods.info, async () => info)
    .handle(methods.exec, async (request) => {
      if (request.argv[0] === 'hang') await new Promise(() => undefined);
      return { stdout: Buffer.from(JSON.stringify(request.env)), stderr: request.stdin, exitCode: request.timeoutMs };
    }),
);
socket.on('close', () => {
  process.exit(0);
});
