import { BerthError, type ErrorKind } from '../lib/errors.ts';

const statuses: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  'not-found': 404,
  'already-exists': 409,
  precondition: 409,
  timeout: 504,
  canceled: 499,
  exhausted: 507,
  unavailable: 503,
  unimplemented: 501,
  denied: 403,
  registry: 502,
  signature: 502,
  internal: 500,
};

/** How a failure is answered; of an unknown throwable the client sees no detail. */
export function httpFailure(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof BerthError) return { status: statuses[error.kind], message: error.text };
  return { status: 500, message: 'berthd failed inside; its log has the cause' };
}
