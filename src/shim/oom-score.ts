import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ScoreChange } from './port.ts';

/** See Task.changeOomScore. What ends meanwhile is passed over. */
export function changeOomScores(pid: number, change: ScoreChange): void {
  try {
    const path = `/proc/${pid}/oom_score_adj`;
    if (Number(readFileSync(path, 'utf8')) === change.from) writeFileSync(path, String(change.to));
    for (const child of childrenOf(pid)) changeOomScores(child, change);
  } catch (error) {
    if (!hasEnded(error)) throw error;
  }
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
}

function hasEnded(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH';
}
