import { BerthError } from '../../lib/errors.ts';
import type { Streaming, Unary } from '../handler.ts';

/** Refuses an RPC that is not built. Clients know the code and do without. */
export const unimplemented =
  (what: string): Unary<never, never> & Streaming<never, never> =>
  () => {
    throw new BerthError('unimplemented', `berth does not support ${what}`);
  };
