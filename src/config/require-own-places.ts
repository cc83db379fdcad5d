import { BerthError } from '../lib/errors.ts';
import type { Config } from './schema.ts';

/** No two of berthd's listeners may be at one place. Fails `invalid` with both keys and the file in the message. */
export function requireOwnPlaces({ cri, nri, metrics, streaming, runRoot }: Config, file: string): void {
  const places: readonly (readonly [string, string])[] = [
    ["berthd's own debug.sock", `${runRoot}/debug.sock`],
    ["berthd's own events.sock", `${runRoot}/events.sock`],
    ['[cri] socket', cri.socket],
    ['[nri] socket', nri.enable ? nri.socket : ''],
    ['[streaming] address', streaming.address.endsWith(':0') ? '' : streaming.address],
    ['[metrics] listen', metrics.listen.endsWith(':0') ? '' : metrics.listen],
  ];
  for (const [index, [key, place]] of places.entries()) {
    const other = places.slice(0, index).find(([, taken]) => taken === place);
    if (place !== '' && other !== undefined) throw new BerthError('invalid', `${key} in ${file} is where ${other[0]} is, ${place}`, { hint: 'give it a place of its own' });
  }
}
