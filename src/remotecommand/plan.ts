import type { Logger } from '../telemetry/log.ts';
import type { Refusal } from './negotiate.ts';
import type { Upgrade } from './websocket/accept.ts';

/** How clients are served. */
export interface ServeContext {
  readonly log: Logger;
  readonly idleTimeoutMs: number;
  /** How long a client may take to open its streams. */
  readonly creationTimeoutMs: number;
  /** Aborts when berthd stops, with what clients are told. */
  readonly interrupt: AbortSignal;
}

/** An upgrade and what carries its streams from then on. */
export interface Arrival extends Upgrade {
  readonly transport: 'spdy' | 'websocket';
}

/** Answers the upgrade and serves the client until it is gone; or why it is not served. Making a plan answers nothing yet. */
export type Plan = (() => Promise<void>) | Refusal;
