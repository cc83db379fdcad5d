import { BerthError } from '../../lib/errors.ts';

/** The kernel's range. */
const most = 1000;

/** Refuses a score that no process can have. */
export function checkOomScore(score: number | undefined): void {
  if (score !== undefined && Math.abs(score) > most) throw new BerthError('invalid', `oom_score_adj ${score} is not between -${most} and ${most}`);
}
