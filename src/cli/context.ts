import { dirname, join } from 'node:path';
import { printable, visibleJson } from '../lib/clean-text.ts';
import { CriClient, type Message } from './cri-client.ts';
import { OperatorClient } from './operator-client.ts';

export interface GlobalOptions {
  /** Path of the CRI socket; the debug socket lies beside it. */
  readonly endpoint: string;
  readonly json: boolean;
}

/** What a command gets: both sockets, opened on first use, and one way to print. */
export class Context {
  readonly #options: GlobalOptions;
  #cri: CriClient | undefined;

  constructor(options: GlobalOptions) {
    this.#options = options;
  }

  get cri(): CriClient {
    this.#cri ??= new CriClient(this.#socket());
    return this.#cri;
  }

  get operator(): OperatorClient {
    return new OperatorClient(join(dirname(this.#socket()), 'debug.sock'));
  }

  /** Prints the value as JSON when asked for, else the text made from it; neither can steer the terminal. */
  print<Value>(value: Value, text: (value: Value) => string): void {
    process.stdout.write(this.#options.json ? `${visibleJson(JSON.stringify(value, undefined, 2))}\n` : `${text(value).split('\n').map(printable).join('\n')}\n`);
  }

  get json(): boolean {
    return this.#options.json;
  }

  close(): void {
    this.#cri?.close();
  }

  #socket(): string {
    return this.#options.endpoint.replace(/^unix:\/\//, '');
  }
}

/** A field of a decoded message that is a list of messages. */
export function items(message: Message, name: string): readonly Message[] {
  const value = message[name];
  return Array.isArray(value) ? (value as readonly Message[]) : [];
}

/** A nested message; an absent one is empty. */
export function nested(message: Message, name: string): Message {
  const value = message[name];
  return typeof value === 'object' && value !== null ? (value as Message) : {};
}

export function field(message: Message, name: string): string {
  const value = message[name];
  return value === undefined || value === null ? '' : String(value);
}

export function strings(message: Message, name: string): readonly string[] {
  const value = message[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** The container that an id, an id prefix or a name stands for; fails when none or several do. */
export async function findContainer(context: Context, word: string): Promise<Message> {
  const all = items(await context.cri.call('ListContainers'), 'containers');
  const exact = all.filter((container) => field(container, 'id').startsWith(word));
  const found = exact.length > 0 ? exact : all.filter((container) => field(nested(container, 'metadata'), 'name') === word);
  const [only] = found;
  if (only === undefined) throw new Error(`no container has the id or name "${word}"; see: berth ps --all`);
  if (found.length > 1) throw new Error(`"${word}" stands for ${found.length} containers; give more of the id`);
  return only;
}
