import { BerthError } from '../../lib/errors.ts';
import type { PodId } from '../../lib/ids.ts';
import type { StateStore } from '../../state/port.ts';
import type { Pod, PodFilter, PodIdentity, PodState } from '../model/pod.ts';
import { matchesLabels } from './matches-labels.ts';
import { RecordStore } from './record-store.ts';

/** See the drawing beside PodState. */
const allowed: Readonly<Record<PodState, readonly PodState[]>> = {
  creating: ['ready', 'notready'],
  ready: ['notready'],
  notready: [],
};

export type PodChange = Partial<Omit<Pod, 'id' | 'state'>>;

const visible = (pod: Pod): boolean => pod.state !== 'creating';

/** The key under which no two pods live at the same time. */
export function podName({ namespace, name, uid, attempt }: PodIdentity): string {
  return `${namespace}/${name}/${uid}/${attempt}`;
}

/** All pods. A `creating` one is kept and holds its name, but is neither found nor listed. */
export class PodStore {
  readonly #records: RecordStore<PodId, Pod>;

  constructor(state: StateStore) {
    this.#records = new RecordStore<PodId, Pod>(state, { kind: 'pod', nameOf: (pod) => podName(pod.config.identity) });
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

  byIdentity(identity: PodIdentity): Pod | undefined {
    return this.#records.byName(podName(identity));
  }

  find(idOrPrefix: string): Pod | undefined {
    return this.#records.find(idOrPrefix, visible);
  }

  get(idOrPrefix: string): Pod {
    const pod = this.find(idOrPrefix);
    if (pod === undefined) throw new BerthError('not-found', `no pod has the id "${idOrPrefix}"`);
    return pod;
  }

  list({ id, state, labels }: PodFilter): readonly Pod[] {
    const wanted = (pod: Pod): boolean =>
      visible(pod) && pod.id.startsWith(id) && (state === undefined || pod.state === state) && matchesLabels(pod.config.labels, labels);
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
}
