import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBerth } from '../../fixtures/daemon.ts';
import type { NodeDaemon } from '../../fixtures/node-daemon.ts';
import { Registry } from '../../fixtures/registry.ts';
import { modernRuntime, noModernRuntime } from '../modern-runtime.ts';
import { pushUpstreamImages, upstreamMirrors } from '../upstream-images.ts';
import { faultsOf, tally, type Excuse, type SuiteReport } from './critest-report.ts';

/** No image that is rebuilt here can have the digest that this spec asks for. */
const unbuildable = 'public image with digest';

interface Round {
  readonly runtime: 'crun' | 'modern';
  readonly transport: 'SPDY' | 'WebSocket';
  readonly parallel: boolean;
  readonly nri: boolean;
}

const rounds: readonly Round[] = [
  { runtime: 'crun', transport: 'SPDY', parallel: false, nri: false },
  { runtime: 'modern', transport: 'WebSocket', parallel: false, nri: true },
  { runtime: 'modern', transport: 'SPDY', parallel: true, nri: true },
  { runtime: 'crun', transport: 'WebSocket', parallel: true, nri: false },
];

const nameOf = ({ runtime, transport, parallel, nri }: Round): string => `${parallel ? 'parallel' : 'serial'}, ${transport}, ${nri ? 'NRI' : 'no NRI'}, ${runtime === 'crun' ? 'crun' : 'runc of today'}`;

/** What any machine may lack, what no test machine has, and what Debian's crun cannot do. */
function excuses({ runtime, nri }: Round): readonly Excuse[] {
  return [
    { spec: new RegExp(unbuildable), why: /^$/ },
    { spec: /benchmark/, why: /^$/ },
    { spec: /AppArmor/, why: /AppArmor is disabled on this host/ },
    { spec: /SELinux/i, why: /./ },
    ...(nri ? [] : [{ spec: /NRI/, why: /NRI socket not configured/ }]),
    ...(runtime === 'modern' ? [] : [{ spec: /UserNamespaces/, why: /no runtime handler found/ }, { spec: /readonly/i, why: /does not implement recursive readonly/ }]),
  ];
}

/** Why a round cannot be had here, or undefined. */
function obstacle({ runtime, parallel }: Round): string | undefined {
  if (parallel && spawnSync('ginkgo', ['version']).status !== 0) return 'critest in parallel needs ginkgo in the PATH';
  return runtime === 'modern' ? noModernRuntime : undefined;
}

/** Runs critest in every way, each against a fresh berthd; returns what is wrong. */
export async function critestRounds(critest: string, print: (line: string) => void): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-upstream-'));
  const registry = await Registry.start({ directory });
  const faults: string[] = [];
  try {
    await pushUpstreamImages(registry);
    for (const round of rounds) {
      const obstructed = obstacle(round);
      if (obstructed === undefined) faults.push(...(await critestRound({ critest, registry: registry.host, print }, round)));
      else print(`\n== critest ${nameOf(round)}: skipped: ${obstructed}`);
    }
    return faults;
  } finally {
    await registry.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Setting {
  readonly critest: string;
  /** The registry that answers for all others. */
  readonly registry: string;
  readonly print: (line: string) => void;
}

async function critestRound({ critest, registry, print }: Setting, round: Round): Promise<readonly string[]> {
  await using node = await startBerth({ config: { ...upstreamMirrors(registry), ...(round.runtime === 'modern' ? await modernRuntime() : {}) } });
  const seed = randomInt(2 ** 31);
  const title = `critest ${nameOf(round)}, seed ${seed}`;
  print(`\n== ${title}`);
  const faults = judge(runCritest(node, [critest, `--ginkgo.seed=${seed}`, ...flagsOf(round, node)]), { print, excuses: excuses(round) });
  return faults.map((fault) => `${title}: ${fault}`);
}

function flagsOf({ transport, parallel, nri }: Round, node: NodeDaemon): readonly string[] {
  return [
    '--ginkgo.randomize-all',
    `--ginkgo.skip=${unbuildable}`,
    ...(transport === 'WebSocket' ? ['--websocket-exec', '--websocket-attach', '--websocket-portforward'] : []),
    ...(parallel ? ['--parallel=2'] : []),
    ...(nri ? [`--nri-socket=${join(node.scratch.dir, 'run/nri.sock')}`] : []),
  ];
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
  readonly suites: readonly SuiteReport[];
}

/** Runs it where the daemon's mounts are. What it leaves in its temporary directory goes with the daemon's. */
function runCritest(node: NodeDaemon, [critest, ...flags]: readonly [string, ...string[]]): Outcome {
  const report = join(node.scratch.dir, 'critest.json');
  const temporary = join(node.scratch.dir, 'critest');
  mkdirSync(temporary);
  const endpoint = `unix://${node.socket}`;
  const [program, ...args] = node.namespace.enter([critest, `--runtime-endpoint=${endpoint}`, `--image-endpoint=${endpoint}`, `--ginkgo.json-report=${report}`, ...flags]);
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: temporary } });
  return { status, output: `${stderr}${stdout}`, suites: existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as readonly SuiteReport[]) : [] };
}

function judge({ status, output, suites }: Outcome, { print, excuses: excused }: { readonly print: (line: string) => void; readonly excuses: readonly Excuse[] }): readonly string[] {
  const told = tally(suites);
  print(`${told.passed} passed, ${told.failed.length} failed, ${told.skipped.length} skipped`);
  for (const { spec, why } of told.skipped) print(`skipped: ${spec}${why === '' ? '' : `: ${why}`}`);
  const faults = faultsOf(told, excused);
  return status === 0 || faults.length > 0 ? faults : [`ended with ${status}: ${output.slice(-2000)}`];
}
