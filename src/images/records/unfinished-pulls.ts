import { randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Digest, SnapshotKey } from '../../lib/ids.ts';
import { asObject, stringField, stringsField } from '../../lib/json-fields.ts';
import { parseDigest } from '../../oci/digest.ts';
import type { StateStore } from '../../state/port.ts';

/** Content and snapshots that something needs. */
export interface Needs {
  readonly digests: readonly Digest[];
  readonly snapshots: readonly SnapshotKey[];
}

interface UnfinishedPull extends Needs {
  readonly reference: string;
  readonly sinceNs: bigint;
}

/** For so long a broken pull's parts wait for the next attempt. */
const keepNs = 24n * 3600n * 1_000_000_000n;

const what = 'pull record';

function parse(value: unknown): UnfinishedPull {
  const object = asObject(value, what);
  return {
    reference: stringField(object, 'reference', what),
    sinceNs: BigInt(stringField(object, 'sinceNs', what)),
    digests: stringsField(object, 'digests', what).map((text) => parseDigest(text)),
    snapshots: stringsField(object, 'snapshots', what) as unknown as readonly SnapshotKey[],
  };
}

/**
 * Pulls that have begun and not ended, on disk, so that what came of them is not collected after a failure or a restart
 * and the next attempt goes on from there. They are forgotten after a day.
 */
export class UnfinishedPulls {
  readonly #state: StateStore;
  readonly #clock: Clock;
  readonly #pulls = new Map<string, UnfinishedPull>();

  constructor(state: StateStore, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
  }

  load(): void {
    for (const { id, value } of this.#state.load('pull')) {
      try {
        this.#pulls.set(id, parse(value));
      } catch (error) {
        this.#state.quarantine('pull', id, messageOf(error));
      }
    }
  }

  /** Records what a pull is about to bring; returns the record's id. */
  begin(reference: string, needs: Needs): string {
    const id = randomBytes(8).toString('hex');
    const pull = { reference, sinceNs: this.#clock.nowNs(), ...needs };
    this.#state.put('pull', id, { reference, sinceNs: pull.sinceNs.toString(), digests: needs.digests, snapshots: needs.snapshots });
    this.#pulls.set(id, pull);
    return id;
  }

  /** A pull failed and may be tried again: only its newest record is kept. */
  interrupted(id: string): void {
    const reference = this.#pulls.get(id)?.reference;
    for (const [other, pull] of this.#pulls) if (other !== id && pull.reference === reference) this.end(other);
  }

  /** Forgets one record. */
  end(id: string): void {
    if (this.#pulls.delete(id)) this.#state.delete('pull', id);
  }

  /** Forgets every record of a reference that is complete now. */
  complete(reference: string): void {
    for (const [id, pull] of this.#pulls) if (pull.reference === reference) this.end(id);
  }

  /** What must be kept; forgets what is too old on the way. */
  needs(): readonly Needs[] {
    const oldest = this.#clock.nowNs() - keepNs;
    for (const [id, { sinceNs }] of this.#pulls) if (sinceNs < oldest) this.end(id);
    return [...this.#pulls.values()];
  }
}
