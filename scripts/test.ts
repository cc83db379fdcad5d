/**
 * Runs every check and every test runner and closes with the one line that sums them up:
 * `N passed, N failed, N skipped`. Each lint-like check counts as one test.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Runner {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  /** A command that succeeds where the runner's program is installed; without it the runner counts as one skipped. */
  readonly probe?: readonly [string, ...string[]];
  /** Reads a tally from the output; absent: the exit code is one test. */
  readonly tally?: (output: string) => Tally;
}

const root = join(import.meta.dirname, '..');

/** Where the suites note what they showed of the CRI contract. */
const evidence = mkdtempSync(join(tmpdir(), 'berth-evidence-'));

const number = (pattern: RegExp, text: string): number => Number(pattern.exec(text)?.[1] ?? 0);

/** vitest's `Tests  3 failed | 20 passed | 1 skipped (24)`; a file that cannot be loaded has no tests but failed. */
function vitestTally(output: string): Tally {
  const line = /^\s*Tests\s+(.*)$/m.exec(output)?.[1] ?? '';
  const files = /^\s*Test Files\s+(.*)$/m.exec(output)?.[1] ?? '';
  const failed = number(/(\d+) failed/, line);
  return {
    passed: number(/(\d+) passed/, line),
    failed: failed === 0 ? number(/(\d+) failed/, files) : failed,
    skipped: number(/(\d+) skipped/, line) + number(/(\d+) todo/, line),
  };
}

/** cargo's `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one for each crate. */
function cargoTally(output: string): Tally {
  const lines = [...output.matchAll(/test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/g)];
  const sum = (index: number): number => lines.reduce((total, match) => total + Number(match[index]), 0);
  return { passed: sum(1), failed: sum(2), skipped: sum(3) };
}

const runners: readonly Runner[] = [
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'lint', command: ['oxlint', '--deny-warnings'] },
  { name: 'rustfmt', command: ['cargo', 'fmt', '--all', '--check'], probe: ['cargo', 'fmt', '--version'], cwd: 'native' },
  {
    name: 'clippy',
    command: ['cargo', 'clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'],
    probe: ['cargo', 'clippy', '--version'],
    cwd: 'native',
  },
  { name: 'unit', command: ['vitest', 'run', '--project', 'unit'], tally: vitestTally },
  { name: 'cargo test', command: ['cargo', 'test', '--workspace', '--quiet', '--no-fail-fast'], cwd: 'native', tally: cargoTally },
  // Here and not in the suites, whose time limits a cold build would exceed.
  { name: 'peers', command: ['node', 'conformance/peers/build.ts'], probe: ['go', 'version'] },
  { name: 'conformance', command: ['vitest', 'run', '--project', 'conformance'], tally: vitestTally },
  // What needs a peer that Go builds cannot be shown without it.
  { name: 'CRI report', command: ['node', 'conformance/cri/report/main.ts', evidence], probe: ['go', 'version'] },
];

/** What says in a runner's output which test failed: vitest's `FAIL  file > test`, cargo's `---- test stdout ----`. */
const failedTest = /^\s*(?:FAIL\s+.*|---- .* stdout ----)$/gm;

/** Which tests of a failed runner failed, each once; the end of its output when it names none. */
function faultsOf(output: string): readonly string[] {
  const named = [...new Set(output.match(failedTest) ?? [])];
  return named.length > 0 ? named : output.trimEnd().split('\n').slice(-10);
}

async function execute(runner: Runner): Promise<{ readonly output: string; readonly code: number }> {
  const [program, ...args] = runner.command;
  const child = spawn(program, args, { cwd: join(root, runner.cwd ?? '.'), stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, BERTH_CRI_EVIDENCE: evidence } });
  let output = '';
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    process.stdout.write(chunk);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const code = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      output += error.message;
      process.stdout.write(`${error.message}\n`);
      resolve(127);
    });
    child.on('close', (status, signal) => {
      if (signal !== null) process.stdout.write(`${program} was ended by ${signal}\n`);
      resolve(status ?? 1);
    });
  });
  return { output: stripVTControlCharacters(output), code };
}

function judge(runner: Runner, { output, code }: { readonly output: string; readonly code: number }): Tally {
  const tally = runner.tally?.(output) ?? { passed: code === 0 ? 1 : 0, failed: 0, skipped: 0 };
  // A runner that ends badly without a failed test still failed.
  return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}

/** Why the runner cannot run on this machine; undefined when it can. */
function lacking({ probe }: Runner): string | undefined {
  if (probe === undefined) return undefined;
  const [program, ...args] = probe;
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0 ? undefined : `\`${probe.join(' ')}\` fails: it is not installed`;
}

async function run(runner: Runner): Promise<Tally> {
  const reason = lacking(runner);
  if (reason !== undefined) {
    process.stdout.write(`skipped: ${reason}\n`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const ending = await execute(runner);
  const tally = judge(runner, ending);
  if (tally.failed > 0) faults.push(...faultsOf(ending.output).map((fault) => `${runner.name}: ${fault.trim()}`));
  return tally;
}

// Said again at the end, since the log above is long.
const faults: string[] = [];

const total = { passed: 0, failed: 0, skipped: 0 };
for (const runner of runners) {
  const began = Date.now();
  process.stdout.write(`\n== ${runner.name}: ${runner.command.join(' ')}\n`);
  const tally = await run(runner);
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped += tally.skipped;
  process.stdout.write(`== ${runner.name}: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped in ${Math.round((Date.now() - began) / 1000)} s\n`);
}
rmSync(evidence, { recursive: true, force: true });
for (const fault of faults) process.stdout.write(`${fault}\n`);
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
