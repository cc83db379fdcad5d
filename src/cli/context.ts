import { dirname, join } from 'node:path';
import { printable, visibleJson } from '../lib/clean-text.ts';
import { CriClient } from './cri-client.ts';
import { OperatorClient } from './operator-client.ts';
import { socketPath } from './socket-path.ts';

export interface GlobalOptions {
  /** Path of the CRI socket; the debug socket lies beside it. */
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

  get operator(): OperatorClient {
    return new OperatorClient(join(dirname(this.#socket), 'debug.sock'));
  }

  /** Prints the value as JSON when asked for, else the text made from it, of which none may be left; neither can steer the terminal. */
  print<Value>(value: Value, text: (value: Value) => string): void {
    if (this.json) printJson(value);
    else process.stdout.write(text(value).split('\n').map((line) => (line === '' ? '' : `${printable(line)}\n`)).join(''));
  }

  close(): void {
    this.#cri?.close();
  }
}

/** JSON as every command prints it: nothing in it steers a terminal. */
export function printJson(value: unknown, indent = 2): void {
  process.stdout.write(`${visibleJson(JSON.stringify(value, undefined, indent))}\n`);
}
