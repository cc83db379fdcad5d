import type { Config } from '../config/schema.ts';
import type { Engine } from '../engine/port.ts';
import type { StreamingUrls } from '../remotecommand/port.ts';
import type { CriContract } from './contract.ts';
import type { EventHub } from './events/event-hub.ts';

export interface DoorParts {
  readonly engine: Engine;
  readonly config: Config;
  readonly streaming: StreamingUrls;
  /** Version of berth. */
  readonly version: string;
}

/** What handlers work with. */
export interface Door extends DoorParts {
  readonly events: EventHub;
  readonly contract: CriContract;
}

/** Who waits for an answer. */
export interface Caller {
  /** Aborts when the client leaves, its deadline passes or the door closes. */
  readonly signal: AbortSignal;
  /** The client's deadline since the epoch; Infinity where it set none. */
  readonly deadlineMs: number;
}

/**
 * Handlers by the RPC's name in the contract, which also says whether one gives an answer or an iterable of them. They throw
 * BerthErrors. What they take and give is known to the codec of the same name, not to the server.
 */
export type Routes = Readonly<Record<string, (door: Door, request: never, caller: Caller) => object>>;
