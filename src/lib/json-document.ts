type Members = readonly (readonly [name: string, value: unknown])[];

const written = Symbol('members as they were written');

/** The object of these members; where a name comes again, the last value is the property's. */
export function objectOf(members: Members): object {
  return members.length === 0 ? empty : { ...Object.fromEntries(members), [written]: members };
}

/** Documents may hold very many. */
const empty = Object.freeze({ [written]: [] });

/** The members of an object that parseDocument() or objectOf() made, in order and with repeated names; undefined for others. */
export function membersOf(object: object): Members | undefined {
  return (object as { readonly [written]?: Members })[written];
}

/** No document of the field is nested deeper, and a reader that goes down with it must not run out of stack. */
const maxDepth = 1000;
/** Names in one object. An image may expose every port; more names only take time, in which nothing else is done. */
const maxNames = 100_000;
const blanks = /[ \t\n\r]*/y;
const scalar = /(?:true|false|null|-?\d[\d.eE+-]*)/y;

/**
 * Parses JSON like JSON.parse(), but every object also knows how it was written, see membersOf(): a program that takes
 * names in any case, as those in Go do, has to know the order. Strings are well-formed: half characters are replaced.
 * Throws SyntaxError, and RangeError for what no honest document is.
 */
export function parseDocument(text: string): unknown {
  return new DocumentReader(text).read();
}

class DocumentReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): unknown {
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#fail();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > maxDepth) throw new RangeError(`it is nested more than ${maxDepth} levels deep`);
    this.#skipBlanks();
    const first = this.#text[this.#at];
    if (first === '{') return this.#object(depth + 1);
    if (first === '[') return this.#list(depth + 1);
    return first === '"' ? this.#string() : this.#scalar();
  }

  #object(depth: number): object {
    const all: [string, unknown][] = [];
    this.#items('}', () => {
      this.#skipBlanks();
      const name = this.#string();
      if (!this.#takes(':')) this.#fail();
      all.push([name, this.#value(depth)]);
      if (all.length > maxNames) throw new RangeError(`it holds an object of more than ${maxNames} names`);
    });
    return objectOf(all);
  }

  #list(depth: number): readonly unknown[] {
    const all: unknown[] = [];
    this.#items(']', () => {
      all.push(this.#value(depth));
    });
    return all;
  }

  #items(end: string, readItem: () => void): void {
    this.#at += 1;
    if (this.#takes(end)) return;
    do readItem();
    while (this.#takes(','));
    if (!this.#takes(end)) this.#fail();
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') this.#fail();
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    while (end >= 0 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    if (end < 0) this.#fail();
    this.#at = end + 1;
    return (JSON.parse(this.#text.slice(start, this.#at)) as string).toWellFormed();
  }

  /** After an odd number of backslashes. */
  #isEscaped(at: number): boolean {
    let start = at;
    while (this.#text[start - 1] === '\\') start -= 1;
    return (at - start) % 2 === 1;
  }

  #scalar(): unknown {
    scalar.lastIndex = this.#at;
    const [token] = scalar.exec(this.#text) ?? this.#fail();
    this.#at += token.length;
    return JSON.parse(token) as unknown;
  }

  #takes(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipBlanks(): void {
    blanks.lastIndex = this.#at;
    this.#at += blanks.exec(this.#text)?.[0].length ?? 0;
  }

  #fail(): never {
    throw new SyntaxError(`unexpected text at ${this.#at}`);
  }
}
