/**
 * Runs all pieces of work at once. The first failure aborts the others, and is thrown only when all have ended, so that
 * an undo never races with what it undoes.
 */
export async function inParallel(pieces: readonly ((signal: AbortSignal) => Promise<unknown>)[], signal: AbortSignal): Promise<void> {
  const abort = new AbortController();
  const shared = AbortSignal.any([signal, abort.signal]);
  const failures: unknown[] = [];
  const run = async (piece: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    try {
      await piece(shared);
    } catch (error) {
      failures.push(error);
      abort.abort(error);
    }
  };
  await Promise.all(pieces.map(run));
  if (failures.length > 0) throw failures[0];
}
