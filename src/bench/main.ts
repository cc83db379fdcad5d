/** Measures berth beside containerd on this machine and writes build/bench/report.md and report.json. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { whyNotBuildable } from '../../conformance/peers/build.ts';
import { messageOf } from '../lib/errors.ts';
import { Lab } from './lab.ts';
import { describeMachine } from './machine.ts';
import { parseOptions } from './options.ts';
import { renderReport } from './render-report.ts';
import { makeReport } from './report.ts';
import { runRounds } from './run-rounds.ts';

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<void> {
  const asked = parseOptions(process.argv.slice(2));
  const unbuildable = whyNotBuildable();
  if (unbuildable !== undefined && asked.streamMib > 0) print(`leaving streams out: ${unbuildable}`);
  const options = { ...asked, streamMib: unbuildable === undefined ? asked.streamMib : 0 };
  await using lab = new Lab();
  // Interrupted, it must not leave daemons, pods and a bridge behind.
  process.once('SIGINT', () => {
    void lab[Symbol.asyncDispose]().finally(() => process.exit(130));
  });
  await lab.start({ only: options.only, streams: options.streamMib > 0 }, print);
  if (lab.subjects.length === 0) throw new Error(`nothing to measure: ${options.only.join(', ') || 'no runtime could be started'}`);
  const report = makeReport(await runRounds(lab.subjects, options, print), describeMachine(), options);
  const text = renderReport(report);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'report.md'), text);
  writeFileSync(join(options.out, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  print(`\n${text}\nwritten to ${options.out}`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
