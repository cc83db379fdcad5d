import { BerthError } from '../../lib/errors.ts';
import type { ContainerId, PodId } from '../../lib/ids.ts';
import type { StateStore } from '../../state/port.ts';
import { shownState, type Container, type ContainerFilter, type ContainerState } from '../model/container.ts';
import type { Owner } from '../model/owner.ts';
import { matchesLabels } from './matches-labels.ts';
import { RecordStore } from './record-store.ts';

/** See the drawing beside ContainerState. */
const allowed: Readonly<Record<ContainerState, readonly ContainerState[]>> = {
  created: ['starting', 'removing'],
  starting: ['running', 'exited', 'unknown', 'created'],
  running: ['paused', 'exited', 'unknown'],
  paused: ['running', 'exited', 'unknown'],
  exited: ['removing', 'starting'],
  unknown: ['running', 'paused', 'exited'],
  removing: [],
};

export type ContainerChange = Partial<Omit<Container, 'id' | 'podId' | 'state'>>;

/** The key under which no two containers live at the same time. */
export function containerName({ owner, place, podId, config }: Pick<Container, 'owner' | 'place' | 'podId'> & { readonly config: { readonly name: string; readonly attempt: number } }): string {
  return place === 'given' ? `${podId}/${config.name}/${config.attempt}` : `${owner}:${config.name}`;
}

/** All containers. What is found, got and listed is one owner's through of(), and everyone's without. */
export class ContainerStore {
  readonly #records: RecordStore<ContainerId, Container>;
  readonly #byPod: Map<PodId, Set<ContainerId>>;
  readonly #owner: Owner | undefined;

  private constructor(records: RecordStore<ContainerId, Container>, byPod: Map<PodId, Set<ContainerId>>, owner: Owner | undefined) {
    this.#records = records;
    this.#byPod = byPod;
    this.#owner = owner;
  }

  static open(state: StateStore): ContainerStore {
    const records = new RecordStore<ContainerId, Container>(state, { kind: 'container', nameOf: containerName, isDurable: ({ place }) => place !== 'given' });
    return new ContainerStore(records, new Map(), undefined);
  }

  of(owner: Owner): ContainerStore {
    return new ContainerStore(this.#records, this.#byPod, owner);
  }

  restore(container: Container): void {
    this.#records.restore(container);
    this.#index(container);
  }

  add(container: Container): Container {
    this.#records.put(container);
    this.#index(container);
    return container;
  }

  /** Changes facts, not the state; fails `not-found`. */
  update(id: ContainerId, change: ContainerChange): Container {
    return this.#replace({ ...this.required(id), ...change });
  }

  /** The only way to another state; fails `precondition` where there is none. */
  transition(id: ContainerId, to: ContainerState, change: ContainerChange = {}): Container {
    const container = this.required(id);
    if (!allowed[container.state].includes(to)) throw new BerthError('precondition', `container ${id} is ${container.state} and cannot become ${to}`);
    return this.#replace({ ...container, ...change, state: to });
  }

  delete(id: ContainerId): void {
    const container = this.#records.peek(id);
    if (container === undefined) return;
    this.#records.delete(id);
    const siblings = this.#byPod.get(container.podId);
    siblings?.delete(id);
    if (siblings?.size === 0) this.#byPod.delete(container.podId);
  }

  peek(id: ContainerId): Container | undefined {
    return this.#records.peek(id);
  }

  /** By whole id; fails `not-found`. */
  required(id: ContainerId): Container {
    const container = this.#records.peek(id);
    if (container === undefined) throw new BerthError('not-found', `container ${id} is gone`);
    return container;
  }

  byName(name: string): Container | undefined {
    return this.#records.byName(name);
  }

  find(idOrPrefix: string): Container | undefined {
    return this.#records.find(idOrPrefix, (container) => this.#shows(container));
  }

  get(idOrPrefix: string): Container {
    const container = this.find(idOrPrefix);
    if (container === undefined) throw new BerthError('not-found', `no container has the id "${idOrPrefix}"`);
    return container;
  }

  ofPod(podId: PodId): readonly Container[] {
    return [...(this.#byPod.get(podId) ?? [])].flatMap((id) => this.#records.peek(id) ?? []);
  }

  list({ id = '', podId = '', state, labels = {} }: ContainerFilter = {}): readonly Container[] {
    const wanted = (container: Container): boolean =>
      this.#shows(container) &&
      container.id.startsWith(id) &&
      container.podId.startsWith(podId) &&
      (state === undefined || shownState(container.state) === state) &&
      matchesLabels(container.config.labels, labels);
    // Clients ask for the containers of one pod again and again.
    return (this.#byPod.has(podId as PodId) ? this.ofPod(podId as PodId) : [...this.#records.values()]).filter(wanted);
  }

  all(): readonly Container[] {
    return [...this.#records.values()];
  }

  #shows({ owner }: Container): boolean {
    return this.#owner === undefined || owner === this.#owner;
  }

  #replace(container: Container): Container {
    this.#records.put(container);
    return container;
  }

  #index({ id, podId }: Container): void {
    const siblings = this.#byPod.get(podId) ?? new Set();
    this.#byPod.set(podId, siblings.add(id));
  }
}
