import { status } from '@grpc/grpc-js';
import { cleanText } from '../lib/clean-text.ts';
import type { Protocol } from '../doors/pipeline.ts';
import { BerthError, type ErrorKind, type ErrorReason } from '../lib/errors.ts';

/** Every kind has its code. UNKNOWN is on purpose where the kubelet looks at the message: it sees it unprefixed only then. */
const codes: Readonly<Record<ErrorKind, status>> = {
  invalid: status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  precondition: status.FAILED_PRECONDITION,
  timeout: status.DEADLINE_EXCEEDED,
  canceled: status.CANCELLED,
  exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  denied: status.PERMISSION_DENIED,
  registry: status.UNKNOWN,
  signature: status.UNKNOWN,
  internal: status.INTERNAL,
};

/** Beginnings of messages that the kubelet knows. */
const prefixes: Partial<Record<ErrorKind | ErrorReason, string>> = {
  registry: 'RegistryUnavailable: ',
  signature: 'SignatureValidationFailed: ',
  'no-recursive-readonly': 'RROUnsupported: ',
  'image-volume': 'ImageVolumeMountFailed: ',
};

export interface GrpcStatus {
  readonly code: status;
  readonly details: string;
}

/** The status a client sees. Of an unknown throwable it sees no detail: that is for the log. */
export function grpcStatus(error: unknown, method: string): GrpcStatus {
  // The details travel in a header, and clients end the whole connection over one that is too long. Half a surrogate pair
  // would make grpc-js throw where nobody catches it.
  if (error instanceof BerthError) return { code: codes[error.kind], details: cleanText(`${prefixes[error.reason ?? error.kind] ?? ''}${error.text}`) };
  return { code: status.INTERNAL, details: `${method} failed inside berthd; its log has the cause` };
}

/** An error as the client is to see it. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly status: GrpcStatus;

  constructor(seen: GrpcStatus) {
    super(seen.details);
    this.status = seen;
  }
}

/** The codes that OpenTelemetry's conventions take for a failure of the server; what a client did wrong is none. */
const faults: ReadonlySet<status> = new Set([status.UNKNOWN, status.DEADLINE_EXCEEDED, status.UNIMPLEMENTED, status.INTERNAL, status.UNAVAILABLE, status.DATA_LOSS]);

/** The attributes have the names of OpenTelemetry's conventions for RPC. */
export const grpcProtocol: Protocol<CallFailure> = {
  success: { code: status[status.OK], fault: false, attributes: { 'rpc.grpc.status_code': status.OK } },
  outcomeOf: (error, method) => {
    const { code } = grpcStatus(error, method);
    return { code: status[code], fault: faults.has(code), attributes: { 'rpc.grpc.status_code': code } };
  },
  failureOf: (error, method) => new CallFailure(grpcStatus(error, method)),
};
