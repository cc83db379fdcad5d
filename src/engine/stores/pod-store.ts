import { BerthError } from '../../lib/errors.ts';
import type { PodId } from '../../lib/ids.ts';
import type { StateStore } from '../../state/port.ts';
import type { Owner } from '../model/owner.ts';
import type { Pod, PodConfig, PodFilter, PodState } from '../model/pod.ts';
import { matchesLabels } from './matches-labels.ts';
import { RecordStore } from './record-store.ts';

/** See the drawing beside PodState. */
const allowed: Readonly<Record<PodState, readonly PodState[]>> = {
  creating: ['ready', 'notready'],
  ready: ['notready'],
  notready: ['creating'],
};

export type PodChange = Partial<Omit<Pod, 'id' | 'state'>>;

/** The name under which no two pods live at the same time. */
export const podName = ({ owner, key }: Pick<PodConfig, 'owner' | 'key'>): string => `${owner}:${key}`;

/**
 * All pods. A `creating` one is kept and holds its key, but is neither found nor listed. What is found, got and listed is one
 * owner's through of(), and everyone's without.
 */
export class PodStore {
  readonly #records: RecordStore<PodId, Pod>;
  readonly #owner: Owner | undefined;

  private constructor(records: RecordStore<PodId, Pod>, owner: Owner | undefined) {
    this.#records = records;
    this.#owner = owner;
  }

  static open(state: StateStore): PodStore {
    return new PodStore(new RecordStore<PodId, Pod>(state, { kind: 'pod', nameOf: (pod) => podName(pod.config), isDurable: ({ ownedBy }) => ownedBy !== undefined }), undefined);
  }

  of(owner: Owner): PodStore {
    return new PodStore(this.#records, owner);
  }

  restore(pod: Pod): void {
    this.#records.restore(pod);
  }

  add(pod: Pod): Pod {
    this.#records.put(pod);
    return pod;
  }

  /** Changes facts, not the state; fails `not-found`. */
  update(id: PodId, change: PodChange): Pod {
    return this.add({ ...this.required(id), ...change });
  }

  /** The only way to another state; fails `precondition` where there is none. */
  transition(id: PodId, to: PodState, change: PodChange = {}): Pod {
    const pod = this.required(id);
    if (!allowed[pod.state].includes(to)) throw new BerthError('precondition', `pod ${id} is ${pod.state} and cannot become ${to}`);
    return this.add({ ...pod, ...change, state: to });
  }

  delete(id: PodId): void {
    this.#records.delete(id);
  }

  /** Any pod by its whole id, also one being made. */
  peek(id: PodId): Pod | undefined {
    return this.#records.peek(id);
  }

  byKey(config: Pick<PodConfig, 'owner' | 'key'>): Pod | undefined {
    return this.#records.byName(podName(config));
  }

  find(idOrPrefix: string): Pod | undefined {
    return this.#records.find(idOrPrefix, (pod) => this.#shows(pod));
  }

  get(idOrPrefix: string): Pod {
    const pod = this.find(idOrPrefix);
    if (pod === undefined) throw new BerthError('not-found', `no pod has the id "${idOrPrefix}"`);
    return pod;
  }

  list({ id = '', state, labels = {} }: PodFilter = {}): readonly Pod[] {
    const wanted = (pod: Pod): boolean =>
      this.#shows(pod) && pod.id.startsWith(id) && (state === undefined || pod.state === state) && matchesLabels(pod.config.labels, labels);
    return [...this.#records.values()].filter(wanted);
  }

  /** Every pod, also those being made. */
  all(): readonly Pod[] {
    return [...this.#records.values()];
  }

  /** Any pod by its whole id, also one being made; fails `not-found`. */
  required(id: PodId): Pod {
    const pod = this.#records.peek(id);
    if (pod === undefined) throw new BerthError('not-found', `pod ${id} is gone`);
    return pod;
  }

  #shows({ state, config }: Pod): boolean {
    return state !== 'creating' && (this.#owner === undefined || config.owner === this.#owner);
  }
}
