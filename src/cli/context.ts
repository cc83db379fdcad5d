import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { printable, visibleJson } from '../lib/clean-text.ts';
import { CriClient } from './cri-client.ts';
import { nested } from './message-fields.ts';
import { OperatorClient } from './operator-client.ts';
import { socketPath } from './socket-path.ts';

export interface GlobalOptions {
  /** Path of the CRI socket. */
  readonly endpoint: string;
  readonly json: boolean;
}

/** What a command gets: both sockets, opened on first use, and one way to print. */
export class Context {
  readonly json: boolean;
  readonly #socket: string;
  #cri: CriClient | undefined;

  constructor({ endpoint, json }: GlobalOptions) {
    this.json = json;
    this.#socket = socketPath(endpoint);
  }

  get cri(): CriClient {
    this.#cri ??= new CriClient(this.#socket);
    return this.#cri;
  }

  /** Berth's own API: its socket lies beside the CRI one, and elsewhere where the settings put that out of the run root. */
  async operator(): Promise<OperatorClient> {
    const beside = join(dirname(this.#socket), 'debug.sock');
    return new OperatorClient(existsSync(beside) ? beside : join(await this.#runRoot(), 'debug.sock'));
  }

  /** Prints the value as JSON when asked for, else the text made from it, of which none may be left; neither can steer the terminal. */
  print<Value>(value: Value, text: (value: Value) => string): void {
    if (this.json) printJson(value);
    else process.stdout.write(text(value).split('\n').map((line) => (line === '' ? '' : `${printable(line)}\n`)).join(''));
  }

  close(): void {
    this.#cri?.close();
  }

  async #runRoot(): Promise<string> {
    const { config } = nested(await this.cri.call('Status', { verbose: true }), 'info');
    return (JSON.parse(String(config)) as { readonly runRoot: string }).runRoot;
  }
}

/** JSON as every command prints it: nothing in it steers a terminal. */
export function printJson(value: unknown, indent = 2): void {
  process.stdout.write(`${visibleJson(JSON.stringify(value, undefined, indent))}\n`);
}
