import { pick } from './pick.ts';

const plain =
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN'.split(' ');
const aboveMin = Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`);
const belowMax = Array.from({ length: 14 }, (_, index) => `RTMAX-${14 - index}`);

/** Signal names at their number in the contract's enum; 0 leaves the choice to the image. */
export const stopSignals: readonly string[] = ['', ...[...plain, ...aboveMin, ...belowMax, 'RTMAX'].map((name) => `SIG${name}`)];

export function decodeStopSignal(number: number): string {
  return pick(stopSignals, number, 'stop_signal');
}

/** 0 for a signal that the contract has no number for, such as one an image spells as a bare number. */
export function encodeStopSignal(name: string): number {
  return Math.max(0, stopSignals.indexOf(name));
}
