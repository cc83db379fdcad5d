import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BerthError, errorKinds, isKind } from '../errors.ts';
import { ProtoFiles, protoDirectory } from '../proto.ts';
import { TtrpcClient } from './client.ts';
import { connectUnix } from './connect.ts';
import { decodeRequest, responseFrame } from './envelope.ts';
import { FrameReader, headerBytes } from './frame.ts';
import { method } from './method.ts';
import { serveTtrpc, TtrpcRoutes } from './server.ts';
import { errorOfStatus, statusOfError } from './status.ts';

interface ExecMessage {
  readonly argv: readonly string[];
  readonly stdin?: Uint8Array;
  readonly timeoutMs?: number;
}

interface ExecAnswer {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

const files = new ProtoFiles(protoDirectory, ['berth/agent.proto']);
const exec = method<ExecMessage, ExecAnswer>(files, 'berth.agent.v1.Agent', 'Exec');
const none = new Uint8Array(0);

let dir: string;
let server: Server;
let accepted: Socket[];

/** A real socket pair: the server side is handed to `serve`. */
async function dial(serve: (socket: Socket) => void): Promise<TtrpcClient> {
  const path = join(dir, 'peer.sock');
  server = createServer((socket) => {
    accepted.push(socket);
    serve(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return new TtrpcClient(await connectUnix(`unix://${path}`), 'the peer');
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-ttrpc-'));
  accepted = [];
});

afterEach(async () => {
  for (const socket of accepted) socket.destroy();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  rmSync(dir, { recursive: true });
});

test('the bytes of a call and of its answer are those of the protocol', async () => {
  const received: Buffer[] = [];
  const client = await dial((socket) => {
    socket.on('data', (chunk: string | Buffer) => {
      received.push(chunk as Buffer);
      // Response{payload: ExecResponse{exit_code: 7}} on stream 1, written by hand.
      socket.write(Buffer.from('0000000400000001020012021807', 'hex'));
    });
  });
  const answer = await client.call(exec, { argv: ['/a'] }, { timeoutMs: 2000 });
  expect(answer).toEqual({ stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), exitCode: 7 });
  const service = Buffer.from('berth.agent.v1.Agent').toString('hex');
  // service, method "Exec", payload{argv "/a"}, timeout_nano 2e9.
  const body = `0a14${service}1204457865631a040a022f612080a8d6b907`;
  const header = `${(body.length / 2).toString(16).padStart(8, '0')}000000010100`;
  expect(Buffer.concat(received).toString('hex')).toBe(header + body);
  client.close();
});

test('many calls run at once and each gets its own answer', async () => {
  const routes = new TtrpcRoutes().handle(exec, async ({ argv }) => {
    const number = Number(argv[0]);
    await new Promise((resolve) => {
      setTimeout(resolve, (number * 7) % 13);
    });
    return { stdout: Buffer.from(argv[0] ?? ''), stderr: none, exitCode: number };
  });
  const client = await dial((socket) => {
    serveTtrpc(socket, routes);
  });
  const answers = await Promise.all(Array.from({ length: 500 }, (_unused, index) => client.call(exec, { argv: [String(index)] })));
  expect(answers.map((answer) => [answer.exitCode, Buffer.from(answer.stdout).toString()])).toEqual(Array.from({ length: 500 }, (_unused, index) => [index, String(index)]));
  expect(client.pending).toBe(0);
  client.close();
});

test('a message of megabytes passes, one over the limit fails on the side that sends it and harms nobody else', async () => {
  const big = Buffer.alloc(3_000_000, 7);
  const routes = new TtrpcRoutes().handle(exec, async ({ stdin, argv }) => ({ stdout: argv[0] === 'double' ? Buffer.concat([stdin ?? none, stdin ?? none]) : (stdin ?? none), stderr: none, exitCode: 0 }));
  const client = await dial((socket) => {
    serveTtrpc(socket, routes);
  });
  expect(Buffer.from((await client.call(exec, { argv: [], stdin: big })).stdout).equals(big)).toBe(true);
  expect(isKind(await failure(client.call(exec, { argv: ['double'], stdin: big })), 'exhausted')).toBe(true);
  expect(isKind(await failure(client.call(exec, { argv: [], stdin: Buffer.alloc(5_000_000) })), 'exhausted')).toBe(true);
  expect((await client.call(exec, { argv: [], stdin: Buffer.from('still here') })).stdout).toEqual(Buffer.from('still here'));
  expect(client.pending).toBe(0);
  client.close();
});

test('every error kind with a code of its own keeps it on the way to the peer', async () => {
  const routes = new TtrpcRoutes().handle(exec, ({ argv }) => Promise.reject(new BerthError(argv[0] as (typeof errorKinds)[number], `no ${argv[0]}`, { hint: 'wait' })));
  const client = await dial((socket) => {
    serveTtrpc(socket, routes);
  });
  for (const kind of errorKinds.filter((each) => each !== 'denied' && each !== 'registry' && each !== 'signature')) {
    const error = await failure(client.call(exec, { argv: [kind] }));
    expect(error).toMatchObject({ kind, message: `no ${kind}; wait` });
  }
  expect(errorOfStatus({ code: 99, message: '' }, 'Exec')).toMatchObject({ kind: 'internal', message: 'Exec failed with code 99' });
  expect(statusOfError(new Error('plain'))).toEqual({ code: 2, message: 'plain' });
  client.close();
});

test('an unknown method is unimplemented', async () => {
  const client = await dial((socket) => {
    serveTtrpc(socket, new TtrpcRoutes());
  });
  expect(isKind(await failure(client.call(exec, { argv: [] })), 'unimplemented')).toBe(true);
  client.close();
});

test('a call without an answer times out, one that is aborted ends with the reason, and late answers are ignored', async () => {
  const requests: Buffer[] = [];
  const client = await dial((socket) => {
    const reader = new FrameReader((frame) => {
      const request = decodeRequest(frame.payload);
      requests.push(Buffer.from(request.payload));
      setTimeout(() => socket.write(responseFrame(frame.streamId, { status: { code: 0, message: '' }, payload: none })), 40);
    });
    socket.on('data', (chunk) => {
      reader.push(chunk as Buffer);
    });
  });
  expect(isKind(await failure(client.call(exec, { argv: ['a'] }, { timeoutMs: 10 })), 'timeout')).toBe(true);
  const abort = new AbortController();
  const reason = new BerthError('canceled', 'enough');
  const call = failure(client.call(exec, { argv: ['b'] }, { signal: abort.signal }));
  abort.abort(reason);
  expect(await call).toBe(reason);
  expect(await failure(client.call(exec, { argv: ['c'] }, { signal: abort.signal }))).toBe(reason);
  expect(client.pending).toBe(0);
  expect((await client.call(exec, { argv: ['d'] })).exitCode).toBe(0);
  expect(requests).toHaveLength(3);
  client.close();
});

test('when the connection ends, all open calls and later ones fail unavailable', async () => {
  const client = await dial((socket) => {
    socket.once('data', () => {
      socket.destroy();
    });
  });
  const errors = await Promise.all([1, 2, 3].map(() => failure(client.call(exec, { argv: [] }))));
  expect(errors.every((error) => isKind(error, 'unavailable'))).toBe(true);
  await client.ended;
  expect(client.closed).toBe(true);
  expect(isKind(await failure(client.call(exec, { argv: [] })), 'unavailable')).toBe(true);
});

test('a peer that breaks the protocol loses the connection instead of confusing it', async () => {
  const client = await dial((socket) => {
    socket.once('data', () => socket.write(Buffer.from('7fffffff000000010200', 'hex')));
  });
  expect(isKind(await failure(client.call(exec, { argv: [] })), 'unavailable')).toBe(true);
  const request = await new Promise<boolean>((resolve) => {
    server.removeAllListeners('connection');
    server.once('connection', (socket) => {
      accepted.push(socket);
      serveTtrpc(socket, new TtrpcRoutes());
    });
    void connectUnix(`unix://${join(dir, 'peer.sock')}`).then((socket) => {
      socket.on('close', () => {
        resolve(true);
      });
      socket.resume();
      socket.write(Buffer.alloc(headerBytes + 4, 0xff));
    });
  });
  expect(request).toBe(true);
});

test('nobody listening is not-found, and an address of another kind is unimplemented', async () => {
  server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(join(dir, 'other'), resolve);
  });
  expect(isKind(await failure(connectUnix(`unix://${dir}/absent`)), 'not-found')).toBe(true);
  expect(isKind(await failure(connectUnix('vsock://3:1024')), 'unimplemented')).toBe(true);
});

test('64-bit integers stay whole in both directions', () => {
  const shim = new ProtoFiles(protoDirectory, ['berth/shim.proto']);
  const describe = shim.codec<{ readonly micros: Readonly<Record<string, bigint>> }>('berth.shim.v1.DescribeResponse');
  const value = { micros: { rootfs: 12n, 'oci-run': 2n ** 63n + 1n } };
  expect(describe.decode(describe.encode(value))).toMatchObject(value);
});
