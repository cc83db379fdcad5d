/** An undo has this long. It never runs under the signal of the request that failed, which may have aborted already. */
const cleanUpMs = 30_000;

export function cleanUpSignal(): AbortSignal {
  return AbortSignal.timeout(cleanUpMs);
}
