import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { peerPath } from '../peers/build.ts';

export type Transport = 'spdy' | 'websocket';

export interface ClientOptions {
  readonly transport: Transport;
  /** Which streams the client opens; must be those that the URL was made for. */
  readonly streams: { readonly stdin?: boolean; readonly stdout?: boolean; readonly stderr?: boolean; readonly tty?: boolean };
  /** Further flags of conformance/streaming/client. */
  readonly flags?: readonly string[];
}

export interface ClientResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The command's exit code; 200 when the client failed otherwise. */
  readonly code: number | null;
}

/** A running client of exec or attach: what kubectl uses, in a small Go program. */
export class StreamingClient {
  readonly process: ChildProcess;
  readonly result: Promise<ClientResult>;
  #seen = '';

  constructor(url: string, { transport, streams, flags = [] }: ClientOptions) {
    const chosen = Object.entries(streams).filter(([, wanted]) => wanted).map(([name]) => `-${name}`);
    const child = spawn(peerPath('streaming-client'), [`-transport=${transport}`, ...chosen, ...flags, 'exec', url], { stdio: ['pipe', 'pipe', 'pipe'] });
    // A client that has ended takes no more input, and tells so itself.
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => { this.#seen += chunk.toString(); });
    this.process = child;
    this.result = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(([stdout, stderr, [code]]) => ({ stdout, stderr, code: code as number | null }));
  }

  /** What stdout has said so far. */
  get seen(): string {
    return this.#seen;
  }

  type(input: string): void {
    this.process.stdin?.write(input);
  }

  endInput(): void {
    this.process.stdin?.end();
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.result;
  }
}

/** A client that forwards a free local port. */
export class ForwardingClient {
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly errors: Promise<string>;
  readonly port: number;

  private constructor(child: ChildProcess, exit: Promise<unknown>, { errors, port }: { readonly errors: Promise<string>; readonly port: number }) {
    this.#process = child;
    this.#exit = exit;
    this.errors = errors;
    this.port = port;
  }

  static async start(url: string, transport: Transport, port: number): Promise<ForwardingClient> {
    const child = spawn(peerPath('streaming-client'), [`-transport=${transport}`, 'port-forward', url, String(port)], { stdio: ['pipe', 'pipe', 'pipe'] });
    const exit = once(child, 'exit');
    const errors = text(child.stderr);
    const [line] = (await Promise.race([once(child.stdout, 'data'), exit.then(async () => { throw new Error(await errors); })])) as [Buffer];
    return new ForwardingClient(child, exit, { errors, port: Number(line.toString()) });
  }

  /** Ends the client; resolves with what it said on stderr. */
  async close(): Promise<string> {
    this.#process.stdin?.end();
    await this.#exit;
    return this.errors;
  }
}
