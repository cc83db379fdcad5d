import { BerthError } from '../../lib/errors.ts';
import type { StateStore } from '../../state/port.ts';
import { toJson } from './tagged-json.ts';

export interface RecordStoreInit<Value> {
  readonly kind: 'pod' | 'container';
  /** The name that no two living records share. */
  readonly nameOf: (value: Value) => string;
  /** Whether its record must survive a power cut. */
  readonly isDurable: (value: Value) => boolean;
}

/** Records of one kind: served from memory, written to the state store at each change. */
export class RecordStore<Id extends string, Value extends { readonly id: Id }> {
  readonly #state: StateStore;
  readonly #init: RecordStoreInit<Value>;
  readonly #values = new Map<string, Value>();
  readonly #names = new Map<string, Id>();

  constructor(state: StateStore, init: RecordStoreInit<Value>) {
    this.#state = state;
    this.#init = init;
  }

  /** Takes in what was loaded from the state store. */
  restore(value: Value): void {
    this.#values.set(value.id, value);
    this.#names.set(this.#init.nameOf(value), value.id);
  }

  /** Adds or replaces. The write comes first: what cannot be kept is not shown. */
  put(value: Value): void {
    this.#state.put(this.#init.kind, value.id, toJson(value), this.#init.isDurable(value) ? 'power' : 'process');
    this.restore(value);
  }

  delete(id: Id): void {
    const value = this.#values.get(id);
    if (value === undefined) return;
    this.#state.delete(this.#init.kind, id, this.#init.isDurable(value) ? 'power' : 'process');
    this.#values.delete(id);
    const name = this.#init.nameOf(value);
    if (this.#names.get(name) === id) this.#names.delete(name);
  }

  peek(id: string): Value | undefined {
    return this.#values.get(id);
  }

  byName(name: string): Value | undefined {
    const id = this.#names.get(name);
    return id === undefined ? undefined : this.#values.get(id);
  }

  values(): IterableIterator<Value> {
    return this.#values.values();
  }

  /** By id or unique prefix among those that `visible` lets through; fails `invalid` when a prefix fits several. */
  find(idOrPrefix: string, visible: (value: Value) => boolean = () => true): Value | undefined {
    const exact = this.#values.get(idOrPrefix);
    if (exact !== undefined) return visible(exact) ? exact : undefined;
    if (idOrPrefix === '') return undefined;
    const [found, other] = this.#startingWith(idOrPrefix).filter(visible);
    if (other !== undefined) throw new BerthError('invalid', `${this.#init.kind} id "${idOrPrefix}" is ambiguous`, { hint: 'give more of its characters' });
    return found;
  }

  #startingWith(prefix: string): Value[] {
    return [...this.#values.values()].filter(({ id }) => id.startsWith(prefix));
  }
}
