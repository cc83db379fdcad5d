import { readFileSync } from 'node:fs';
import type { HostFacts } from '../oci/runtime-spec/input.ts';

/** The lowest oom_score_adj for containers: what the host allows, or berthd's own where that is the limit asked for. */
export function oomFloor(restrict: boolean, { minOomScoreAdj }: HostFacts): number {
  return restrict ? Math.max(minOomScoreAdj, Number(readFileSync('/proc/self/oom_score_adj', 'utf8'))) : minOomScoreAdj;
}
