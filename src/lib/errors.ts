import { cleanText } from './clean-text.ts';

/**
 * The closed set of failure kinds. Each door maps all of them, and nothing else, to its own codes.
 */
export const errorKinds = [
  'invalid', // the request itself is wrong
  'not-found',
  'already-exists',
  'precondition', // the object is in a state that forbids this
  'timeout',
  'canceled',
  'exhausted', // a disk, a limit or a quota is full
  'unavailable', // try again: recovery is running, a peer process is away
  'unimplemented',
  'denied', // credentials are missing or do not suffice
  'registry', // the registry could not be reached or answered with an error
  'signature', // content does not match its digest or signature
  'internal',
] as const;

export type ErrorKind = (typeof errorKinds)[number];

/** What a door may have words of its own for, beside the kind. */
export type ErrorReason = 'no-recursive-readonly' | 'image-volume';

export interface BerthErrorOptions {
  /** The next step for whoever reads the message. */
  readonly hint?: string;
  readonly cause?: unknown;
  readonly reason?: ErrorReason;
}

/** Bytes of an error's words; both together fit in what a door passes on. */
const maxMessageBytes = 3072;
const maxHintBytes = 960;

/**
 * The only error that crosses a folder boundary on purpose. `message` says what failed and on which object. What an image,
 * a registry, a runtime or a plugin said may stand in it as it came: it is cleaned and cut here, for whoever reads it.
 */
export class BerthError extends Error {
  override readonly name = 'BerthError';
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly reason: ErrorReason | undefined;

  constructor(kind: ErrorKind, message: string, options: BerthErrorOptions = {}) {
    super(cleanText(message, maxMessageBytes), options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.reason = options.reason;
    this.hint = options.hint === undefined ? undefined : cleanText(options.hint, maxHintBytes);
  }

  /** The message with its hint, as a client should see it. */
  get text(): string {
    return this.hint === undefined ? this.message : `${this.message}; ${this.hint}`;
  }
}

export function isKind(error: unknown, kind: ErrorKind): boolean {
  return error instanceof BerthError && error.kind === kind;
}

/** What was thrown, in words; see cleanText(). */
export const messageOf = (error: unknown): string => cleanText(error instanceof Error ? error.message : String(error), maxMessageBytes);

/** Leaves a BerthError as it is and wraps anything else as `internal`, keeping it as the cause. */
export function asBerthError(error: unknown, doing: string): BerthError {
  if (error instanceof BerthError) return error;
  return new BerthError('internal', `${doing}: ${messageOf(error)}`, { cause: error });
}
