import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBerth } from '../../fixtures/daemon.ts';
import type { NodeDaemon } from '../../fixtures/node-daemon.ts';
import { Registry } from '../../fixtures/registry.ts';
import { pushUpstreamImages, upstreamMirrors } from '../upstream-images.ts';

/** No image that is rebuilt here can have the digest that this spec asks for. */
const unbuildable = 'public image with digest';

interface Round {
  readonly name: string;
  readonly flags: readonly string[];
}

const websocket = ['--websocket-exec', '--websocket-attach', '--websocket-portforward'];

function rounds(node: NodeDaemon): readonly Round[] {
  const nri = `--nri-socket=${join(node.scratch.dir, 'run/nri.sock')}`;
  const serial = [
    { name: 'serial, SPDY', flags: [] },
    { name: 'serial, WebSocket, NRI', flags: [...websocket, nri] },
  ];
  const parallel = [
    { name: 'parallel, SPDY, NRI', flags: ['--parallel=2', nri] },
    { name: 'parallel, WebSocket', flags: ['--parallel=2', ...websocket] },
  ];
  return spawnSync('ginkgo', ['version']).status === 0 ? [...serial, ...parallel] : serial;
}

/** Runs critest against one fresh berthd in every way; returns what failed. */
export async function critestRounds(critest: string, print: (line: string) => void): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'berth-upstream-'));
  const registry = await Registry.start({ directory });
  try {
    await pushUpstreamImages(registry);
    await using node = await startBerth({ config: upstreamMirrors(registry.host) });
    const all = rounds(node);
    if (!all.some(({ name }) => name.startsWith('parallel'))) print('skipped: critest in parallel, which needs ginkgo in the PATH');
    return all.flatMap((round) => critestRound(critest, node, round, print));
  } finally {
    await registry.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function critestRound(critest: string, node: NodeDaemon, { name, flags }: Round, print: (line: string) => void): readonly string[] {
  const seed = randomInt(2 ** 31);
  print(`\n== critest ${name}, seed ${seed}`);
  const order = ['--ginkgo.randomize-all', `--ginkgo.seed=${seed}`, `--ginkgo.skip=${unbuildable}`];
  const [program, ...args] = node.namespace.enter([critest, `--runtime-endpoint=unix://${node.socket}`, ...order, ...flags]);
  const { stdout, status } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });
  const told = stdout.split('\n').filter((line) => /^(Ran \d+ of|FAIL!|SUCCESS!)|\[FAIL\]/.test(line.trim()));
  for (const line of told) print(line);
  return status === 0 ? [] : [`critest ${name} failed (seed ${seed})`];
}
