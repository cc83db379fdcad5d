import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { StreamChoice } from '../../engine/model/session.ts';
import { BerthError } from '../../lib/errors.ts';
import { createLogger } from '../../telemetry/log.ts';
import type { StreamEngine } from '../sessions.ts';
import { StreamingServer } from '../streaming-server.ts';
import { FakeSession } from './fake-session.ts';
import { SpdyClient } from './spdy-client.ts';

export const all: StreamChoice = { stdin: true, stdout: true, stderr: true, tty: false };
/** Only what fails waits so long. */
const patienceMs = 10_000;
export const terminal: StreamChoice = { stdin: true, stdout: true, stderr: false, tty: true };
export const eventually = async (check: () => void): Promise<void> => vi.waitFor(check, patienceMs);


export const socketClosed = async ({ socket }: SpdyClient): Promise<void> => eventually(() => { expect(socket.destroyed || socket.readableEnded).toBe(true); });

export const channel = (messages: readonly Buffer[], number: number): string => Buffer.concat(messages.filter(([first]) => first === number).map((message) => message.subarray(1))).toString();

interface Opened {
  readonly client: SpdyClient;
  readonly ids: Readonly<Record<'error' | 'stdin' | 'stdout' | 'stderr' | 'resize', number>>;
}

/** A server that listens, and the session that it opens to whoever asks. */
class StreamingFixture {
  session!: FakeSession;
  asked!: unknown[];
  server!: StreamingServer;
  nowMs!: number;
  logged!: string[];
  open!: () => Promise<FakeSession>;
  readonly #engine: StreamEngine = {
    containers: {
      exec: async (request) => { this.asked.push(request); return this.open(); },
      attach: async (id, streams) => { this.asked.push({ id, streams }); return this.open(); },
    },
    pods: {
      forward: async (id, port) => {
        this.asked.push({ id, port });
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        try {
          await once(socket, 'connect');
        } catch (cause) {
          throw new BerthError('precondition', `nothing listens on port ${port} of pod ${id}`, { cause });
        }
        return socket;
      },
    },
  };

  async begin(): Promise<void> {
    this.session = new FakeSession();
    [this.asked, this.logged, this.nowMs] = [[], [], 0];
    this.open = async () => Promise.resolve(this.session);
    await this.serve();
  }

  async serve(over: { readonly idleTimeoutMs?: number; readonly creationTimeoutMs?: number } = {}): Promise<void> {
    const log = createLogger({ level: 'debug', format: 'json' }, (line) => { this.logged.push(line); });
    const clock = { nowNs: () => 0n, monotonicMs: () => this.nowMs };
    this.server = new StreamingServer({ engine: this.#engine, clock, log }, { address: '127.0.0.1:0', tlsCert: '', tlsKey: '', clientCa: '', idleTimeoutMs: 60_000, creationTimeoutMs: 5000, ...over });
    await this.server.listen();
  }

  execUrl(streams: StreamChoice = all): string {
    return this.server.exec({ containerId: 'c1', command: ['sh'], streams });
  }

  /** Opens what the client of an exec opens. */
  async openSpdy(streams: StreamChoice = all, version = 'v4.channel.k8s.io', url = this.execUrl(streams)): Promise<Opened> {
    const client = await SpdyClient.open(url, { 'X-Stream-Protocol-Version': version });
    const wanted = { error: true, stdin: streams.stdin, stdout: streams.stdout, stderr: streams.stderr, resize: streams.tty };
    const ids = Object.fromEntries(Object.entries(wanted).map(([streamtype, use]) => [streamtype, use ? client.stream({ streamtype }) : 0]));
    await eventually(() => { expect(this.asked).toHaveLength(1); });
    return { client, ids: ids as Opened['ids'] };
  }

  async openWebSocket(protocols: readonly string[] = ['v5.channel.k8s.io'], url = this.execUrl()): Promise<{ readonly webSocket: WebSocket; readonly messages: Buffer[]; readonly closed: Promise<number> }> {
    const webSocket = new WebSocket(url.replace('http', 'ws'), [...protocols]);
    const messages: Buffer[] = [];
    webSocket.on('message', (message: Buffer) => { messages.push(message); });
    const closed = new Promise<number>((resolve) => { webSocket.once('close', resolve); });
    await once(webSocket, 'open');
    return { webSocket, messages, closed };
  }
}

/** Made anew for each test of the file that calls it. */
export function streamingFixture(): StreamingFixture {
  const fixture = new StreamingFixture();
  beforeEach(async () => fixture.begin());
  afterEach(async () => fixture.server.close(0));
  return fixture;
}
