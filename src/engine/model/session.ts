import type { Duplex } from 'node:stream';

export type { Session, StreamChoice, TerminalSize } from '../../shim/port.ts';

/** A connection into a pod's network namespace; each side half-closes. */
export type PodConnection = Duplex;
