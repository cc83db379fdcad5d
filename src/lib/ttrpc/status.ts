import { BerthError, type ErrorKind, messageOf } from '../errors.ts';

/** google.rpc.Status without its details. */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
}

const kindOfCode: Readonly<Record<number, ErrorKind>> = {
  1: 'canceled',
  2: 'internal', // UNKNOWN
  3: 'invalid',
  4: 'timeout',
  5: 'not-found',
  6: 'already-exists',
  7: 'internal', // PERMISSION_DENIED: berth runs as root, so this is a defect
  8: 'exhausted',
  9: 'precondition',
  10: 'unavailable', // ABORTED: lost a race, worth another try
  11: 'invalid',
  12: 'unimplemented',
  13: 'internal',
  14: 'unavailable',
  15: 'internal',
  16: 'internal',
};

const codeOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 3,
  'not-found': 5,
  'already-exists': 6,
  precondition: 9,
  timeout: 4,
  canceled: 1,
  exhausted: 8,
  unavailable: 14,
  unimplemented: 12,
  denied: 2,
  registry: 2,
  signature: 2,
  internal: 13,
};

/** What a peer's status means here. */
export function errorOfStatus(status: RpcStatus, call: string): BerthError {
  const kind = kindOfCode[status.code] ?? 'internal';
  return new BerthError(kind, status.message === '' ? `${call} failed with code ${status.code}` : status.message);
}

/** What a failure here is for a peer. */
export function statusOfError(error: unknown): RpcStatus {
  if (error instanceof BerthError) return { code: codeOfKind[error.kind], message: error.text };
  return { code: 2, message: messageOf(error) };
}
