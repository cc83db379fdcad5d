import { BerthError } from '../../lib/errors.ts';
import type { StringMap } from '../messages/common.ts';

/** No option of checkpoints is known yet, and one that is passed over in silence would be worse than one that is refused. */
export function noOptions(options: StringMap): void {
  const names = Object.keys(options);
  if (names.length > 0) throw new BerthError('invalid', `unknown options: ${names.join(', ')}`, { hint: 'berth knows none' });
}
