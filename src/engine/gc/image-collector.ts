import { setTimeout as sleep } from 'node:timers/promises';
import type { ImageService } from '../../images/port.ts';
import type { Background } from '../background.ts';

/** Removals come in swarms: one look after the last of them is enough. */
const defaultDelayMs = 10_000;

/** Frees layers that only removed containers needed, some time after a removal. */
export class ImageCollector {
  readonly #images: Pick<ImageService, 'collect'>;
  readonly #background: Background;
  readonly #delayMs: number;
  #waiting = false;

  constructor(images: Pick<ImageService, 'collect'>, background: Background, delayMs = defaultDelayMs) {
    this.#images = images;
    this.#background = background;
    this.#delayMs = delayMs;
  }

  /** Several requests within the delay are one. */
  request(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#background.run('collecting image layers', {}, async (signal) => {
      await sleep(this.#delayMs, undefined, { signal }).finally(() => {
        this.#waiting = false;
      });
      await this.#images.collect(signal);
    });
  }
}
