/** What a frozen shim, agent or kernel costs whoever asks for statistics, and itself its place in them. */
const deadlineMs = 2000;

/** The caller's signal, or the end of its patience with others. */
export function readingDeadline(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
}
