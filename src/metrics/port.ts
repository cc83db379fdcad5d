/** Hears how each call of a door went. */
export interface RpcMetrics {
  rpcEnded(method: string, code: string, seconds: number): void;
}

/** Hears how the engine's work went; the same shape as the observer of src/engine. */
export interface EngineMetrics {
  startPhase(operation: string, phase: string, seconds: number): void;
  operation(operation: string, outcome: 'ok' | 'failed', seconds: number): void;
  containerExited(reason: string): void;
}

/** Hears how image work went; the same shape as the observer of src/images. */
export interface ImageMetrics {
  blobDownloaded(bytes: number, seconds: number): void;
  layerUnpacked(bytes: number, seconds: number): void;
  pullFinished(outcome: 'ok' | 'canceled' | 'failed', seconds: number): void;
}

/** Hears how long each run of a CNI plugin took; the same shape as the observer of src/cni. */
export interface PluginMetrics {
  pluginEnded(type: string, command: string, seconds: number, ok: boolean): void;
}

export interface ContainerIo {
  readonly container: string;
  readonly pod: string;
  readonly name: string;
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
}

/** What is read when somebody scrapes. */
export interface ScrapeSource {
  podsByState(): Readonly<Record<string, number>>;
  containersByState(): Readonly<Record<string, number>>;
  agent(): { readonly healthy: boolean; readonly restarts: number };
  pullsUnderWay(): number;
  images(): number;
  /** Each runtime handler, with how many known vulnerabilities its version has. */
  runtimes(): readonly { readonly handler: string; readonly version: string; readonly advisories: number }[];
  /** Running containers and whether their shim answered, with what their cgroup counts as block I/O. Rejects when nobody can tell, such as without the agent. */
  containerIo(): Promise<{ readonly answered: readonly ContainerIo[]; readonly running: number }>;
  /** What unpacking each layer put on disk. */
  layers(): readonly { readonly layer: string; readonly bytes: number }[];
}
