/**
 * Fifty times SIGKILL to berthd or its agent, at random moments, also while berthd recovers from the last one, while ten
 * short pods at a time come and go and three long ones run. Some pods share their PID namespace, some publish a port.
 * Checked:
 *
 * - every long pod: same state, IP, creation and start times; every line of its log there once, none torn;
 * - every short container whose start was answered: its own exit code, reason, and all its lines;
 * - every other short container: the same, or that its start failed or its end was not seen; no line torn or repeated;
 * - every short pod can be removed, and after that nothing is left: no pod, container, network namespace, mount,
 *   address, bridge port, iptables rule, cgroup, process, bundle or snapshot, also after one more restart.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite } from '../cri/suite.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { churnPod, expectedLines, sweep, type ChurnOutcome } from './churn-pod.ts';
import { eventually } from './eventually.ts';
import { filesOfPods } from './files-of-pods.ts';
import { identity, logged, look, startSurvivor, type Survivor } from './survivor.ts';

const rounds = 50;
const podsAtOnce = 10;
/** Fewer lives than this prove little, so on a slow machine there are more rounds. */
const leastOutcomes = 50;

let suite: CriSuite;
let node: NodeDaemon;

beforeAll(async () => {
  suite = await CriSuite.start();
  node = suite.node;
});

afterAll(async () => {
  await suite?.close();
});

async function killAgent(): Promise<void> {
  const pid = await eventually(async () => {
    const found = node.pids.find((candidate) => readFileSync(`/proc/${candidate}/comm`, 'utf8').trim() === 'berth-agent');
    return found ?? Promise.reject(new Error('no agent runs'));
  });
  process.kill(pid, 'SIGKILL');
}

async function killWhileRecovering(): Promise<void> {
  await node.kill();
  const answers = node.startAgain().catch(() => undefined);
  await sleep(Math.random() * 800);
  await node.kill();
  await answers;
  await node.startAgain();
}

/** Kills at a random moment, and starts berthd again if it was that. */
async function strike(round: number): Promise<void> {
  await sleep(Math.random() * 800);
  if (round % 2 === 0) return killAgent();
  if (round % 4 === 1) return killWhileRecovering();
  await node.kill();
  await node.startAgain();
}

/** Pods come and go until the rounds are over. */
async function churn(outcomes: ChurnOutcome[], over: () => boolean): Promise<void> {
  let number = 0;
  const worker = async (): Promise<void> => {
    while (!over()) outcomes.push(await churnPod(node, (number += 1), suite.busybox));
  };
  await Promise.all(Array.from({ length: podsAtOnce }, worker));
}

/** What a container's end must be. */
function expectWhole({ number, started, expectedCode, status, lines }: ChurnOutcome): void {
  const unseen = status.reason === 'StartError' || status.reason === 'Unknown';
  if (!started && unseen) expect(lines, `lines of container ${number}`).toEqual(expectedLines.slice(0, lines.length));
  else expect({ number, code: status.exit_code, reason: status.reason, lines }).toEqual({ number, code: expectedCode, reason: 'Error', lines: expectedLines });
}

test('nothing is lost and nothing leaks', { timeout: 600_000 }, async () => {
  const files = filesOfPods(node);
  const survivors: Survivor[] = [];
  for (const name of ['one', 'two', 'three']) survivors.push(await startSurvivor(node, name, suite.busybox));
  const outcomes: ChurnOutcome[] = [];
  let over = false;
  const churning = churn(outcomes, () => over);
  const failure = new AbortController();
  churning.catch(() => {
    failure.abort();
  });
  for (let round = 0; !failure.signal.aborted && (round < rounds || outcomes.length < leastOutcomes); round += 1) await strike(round);
  over = true;
  await churning;
  await sweep(node, new Set(survivors.map(({ podId }) => podId)));

  for (const survivor of survivors) {
    const now = await look(node, survivor);
    expect(identity(now)).toEqual(identity(survivor));
    const numbers = logged(now);
    expect(numbers.length).toBeGreaterThan(100);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  }
  for (const outcome of outcomes) expectWhole(outcome);
  expect(outcomes.some(({ started }) => started)).toBe(true);

  expect((await node.cri.listPods()).map(({ id }) => id).toSorted()).toEqual(survivors.map(({ podId }) => podId).toSorted());
  expect(await node.cri.listContainers()).toHaveLength(survivors.length);
  await node.removePods();
  expect(await node.leaks(10_000)).toEqual(noHoldings);
  await node.kill();
  await node.startAgain();
  await expect.poll(() => filesOfPods(node), { timeout: 10_000 }).toEqual(files);
  expect([...(await node.cri.listPods()), ...(await node.cri.listContainers())]).toEqual([]);
  expect(await node.leaks(10_000)).toEqual(noHoldings);
});
