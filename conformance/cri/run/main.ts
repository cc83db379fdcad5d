/**
 * `make conformance-cri`: the CRI suites in random order, REPEAT times (1), then a look at what they left on the machine and
 * at what they showed of the contract, which becomes conformance/cri/REPORT.md. SEED repeats an order; CRITEST names a critest
 * binary that is run, too.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { critestRounds } from './critest.ts';
import { traces } from './machine.ts';
import { run, suiteRound } from './rounds.ts';

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const repeat = Number(process.env['REPEAT'] ?? 1);
const firstSeed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
const before = traces();
const evidence = mkdtempSync(join(tmpdir(), 'berth-evidence-'));
const faults: string[] = [];
try {
  for (let round = 1; round <= repeat; round += 1) {
    const seed = firstSeed + round - 1;
    print(`\n== round ${round} of ${repeat}, SEED=${seed}`);
    if (!(await suiteRound(seed, evidence))) faults.push(`round ${round} failed (SEED=${seed})`);
  }
  const report = join(import.meta.dirname, '../REPORT.md');
  if ((await run(process.execPath, [join(import.meta.dirname, '../report/main.ts'), evidence, report])) !== 0) faults.push('the suites do not show what the report says');
} finally {
  rmSync(evidence, { recursive: true, force: true });
}
const { CRITEST: critest } = process.env;
if (critest !== undefined) faults.push(...(await critestRounds(critest, print)));
faults.push(...[...traces()].filter((trace) => !before.has(trace)).map((trace) => `left on the machine: ${trace}`));
for (const fault of faults) print(fault);
print(faults.length === 0 ? `${repeat} rounds passed and left nothing` : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
