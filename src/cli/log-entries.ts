import { StringDecoder } from 'node:string_decoder';
import { type LogEntry, parseLogLine } from './log-line.ts';

/** Twice what any setting lets a shim write in one line; of a longer one we do not wait for the end. */
const maxLineChars = 2 << 20;

/** Hands on the entries of a CRI log, which comes in pieces; one without an end as partial entries. What is no entry is left out. */
export class LogEntries {
  readonly #emit: (entry: LogEntry) => void;
  readonly #decoder = new StringDecoder('utf8');
  #line = '';
  /** The entry whose line is too long and goes on; null: it is none. */
  #long: LogEntry | null | undefined;

  constructor(emit: (entry: LogEntry) => void) {
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    const [first = '', ...others] = this.#decoder.write(chunk).split('\n');
    this.#add(first);
    for (const piece of others) {
      this.#end();
      this.#add(piece);
    }
  }

  #add(piece: string): void {
    this.#line += piece;
    if (this.#long !== undefined) this.#part();
    if (this.#line.length <= maxLineChars) return;
    const entry = parseLogLine(this.#line);
    this.#long = entry ?? null;
    this.#line = entry?.content ?? '';
    this.#part();
  }

  /** What has come of a line that is too long. */
  #part(): void {
    if (this.#long && this.#line !== '') this.#emit({ ...this.#long, partial: true, content: this.#line });
    this.#line = '';
  }

  #end(): void {
    const entry = this.#long === undefined ? parseLogLine(this.#line) : this.#long && { ...this.#long, content: '' };
    if (entry) this.#emit(entry);
    this.#line = '';
    this.#long = undefined;
  }
}
