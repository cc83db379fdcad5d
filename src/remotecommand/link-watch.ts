/** How often a connection is looked at. Also the time after which a peer that vanished while nothing was read is noticed. */
const beatMs = 15_000;
/** How long a peer may take to read the last that it was told. It cannot be probed meanwhile, and may be gone. */
export const farewellMs = 600_000;

export interface WatchedLink {
  /** Sends something that the peer answers or that fails when it is gone. */
  probe(): void;
  /** Nothing useful has passed for the idle timeout. */
  idle(): void;
}

/** Probes a connection and ends it when it is idle. Keep-alive traffic does not count as use. */
export class LinkWatch {
  readonly #timer: NodeJS.Timeout;
  #idleTimeoutMs: number;
  #usedMs = performance.now();

  constructor(link: WatchedLink, idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#timer = setInterval(
      () => {
        if (performance.now() - this.#usedMs >= this.#idleTimeoutMs) link.idle();
        else link.probe();
      },
      Math.min(beatMs, idleTimeoutMs),
    );
  }

  used(): void {
    this.#usedMs = performance.now();
  }

  /** All was said. */
  leave(): void {
    this.used();
    this.#idleTimeoutMs = Math.min(this.#idleTimeoutMs, farewellMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
