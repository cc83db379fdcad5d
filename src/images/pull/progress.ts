import type { Clock } from '../../lib/clock.ts';
import type { PullProgress } from '../port.ts';
import type { LayerPlan } from './image-plan.ts';

type Listener = (progress: PullProgress) => void;

interface LayerProgress {
  readonly digest: string;
  doneBytes: number;
  readonly totalBytes: number;
  unpacked: boolean;
}

const intervalMs = 100;

/** How far one pull is, and who wants to hear of it. Phases are told at once, bytes a few times a second. */
export class ProgressTracker {
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  #phase: PullProgress['phase'] = 'resolving';
  #layers: readonly LayerProgress[] = [];
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  current(): PullProgress {
    return { phase: this.#phase, layers: this.#layers.map((layer) => ({ ...layer })) };
  }

  /** Of all layers together. */
  get doneBytes(): number {
    return this.#layers.reduce((sum, { doneBytes }) => sum + doneBytes, 0);
  }

  enter(phase: PullProgress['phase']): void {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#tell();
  }

  plan(layers: readonly LayerPlan[]): void {
    this.#layers = layers.map(({ descriptor }) => ({ digest: descriptor.digest, doneBytes: 0, totalBytes: descriptor.size, unpacked: false }));
    this.#tell();
  }

  downloaded(index: number, doneBytes: number): void {
    const layer = this.#layers[index];
    if (layer === undefined) return;
    layer.doneBytes = doneBytes;
    if (this.#clock.monotonicMs() - this.#toldAtMs >= intervalMs) this.#tell();
  }

  unpacked(index: number): void {
    const layer = this.#layers[index];
    if (layer === undefined) return;
    layer.doneBytes = layer.totalBytes;
    layer.unpacked = true;
    this.#tell();
  }

  #tell(): void {
    this.#toldAtMs = this.#clock.monotonicMs();
    if (this.#listeners.size === 0) return;
    const progress = this.current();
    for (const listener of this.#listeners) listener(progress);
  }
}
