import { constants } from 'node:os';
import { BerthError } from '../../lib/errors.ts';

const rtMin = 34;
const rtMax = 64;

const byName: ReadonlyMap<string, number> = new Map([
  ...Object.entries(constants.signals),
  ['SIGCLD', constants.signals.SIGCHLD],
  ['SIGRTMIN', rtMin],
  ['SIGRTMAX', rtMax],
  ...Array.from({ length: 15 }, (_, index) => [`SIGRTMIN+${index + 1}`, rtMin + index + 1] as const),
  ...Array.from({ length: 14 }, (_, index) => [`SIGRTMAX-${index + 1}`, rtMax - index - 1] as const),
]);

/** `term`, `SIGTERM` and `15` → `SIGTERM`; undefined for what is no signal. */
function canonicalName(text: string): string | undefined {
  if (/^\d+$/.test(text)) return [...byName].find(([, number]) => number === Number(text))?.[0];
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  return byName.has(name) ? name : undefined;
}

/**
 * The signal that asks a container to end: the request's, else the image's, else SIGTERM. A wrong name in the request fails
 * `invalid`; one in the image, which the user cannot mend, counts as none.
 */
export function stopSignalName(requested: string, imageSignal: string): string {
  if (requested === '') return canonicalName(imageSignal) ?? 'SIGTERM';
  const name = canonicalName(requested);
  if (name === undefined) throw new BerthError('invalid', `"${requested}" is no signal`, { hint: 'use a name such as SIGTERM or SIGRTMIN+3' });
  return name;
}

/** The number of a name that stopSignalName() gave. */
export function signalNumber(name: string): number {
  return byName.get(name) ?? constants.signals.SIGTERM;
}
