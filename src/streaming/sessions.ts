import type { Session, StreamChoice, PodConnection } from '../engine/model/session.ts';

/** What the streaming door needs of the engine. */
export interface StreamEngine {
  readonly containers: {
    exec(request: { readonly containerId: string; readonly command: readonly string[]; readonly streams: StreamChoice }, signal: AbortSignal): Promise<Session>;
    attach(id: string, streams: StreamChoice, signal: AbortSignal): Promise<Session>;
  };
  readonly pods: {
    forward(id: string, port: number, signal: AbortSignal): Promise<PodConnection>;
  };
}
