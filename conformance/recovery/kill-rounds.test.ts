/**
 * Fifty times SIGKILL to berthd or its agent, at random moments, while ten short pods at a time come and go and three
 * long ones run. Checked:
 *
 * - every long pod: same state, IP, creation and start times; every line of its log there once, none torn;
 * - every short container whose start was answered: its own exit code, reason, and all its lines;
 * - every short pod can be removed, and after that nothing is left: no pod, container, network namespace, mount,
 *   address, bridge port, iptables rule, cgroup or process.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite } from '../cri/suite.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { churnPod, expectedLines, sweep, type ChurnOutcome } from './churn-pod.ts';
import { eventually } from './eventually.ts';
import { identity, logged, look, startSurvivor, type Survivor } from './survivor.ts';

const rounds = 50;
const podsAtOnce = 10;

let suite: CriSuite;
let node: NodeDaemon;

beforeAll(async () => {
  suite = await CriSuite.start();
  node = suite.node;
});

afterAll(async () => {
  await suite?.close();
});

function agentPid(): number | undefined {
  return node.pids.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'berth-agent');
}

/** Kills one of the two at a random moment, and starts berthd again if it was that. */
async function strike(round: number): Promise<void> {
  await sleep(Math.random() * 400);
  if (round % 2 === 0) {
    await node.kill();
    await node.startAgain();
  } else {
    const pid = await eventually(async () => agentPid() ?? Promise.reject(new Error('no agent runs')));
    process.kill(pid, 'SIGKILL');
  }
}

/** Pods come and go until the rounds are over. */
async function churn(outcomes: ChurnOutcome[], over: () => boolean): Promise<void> {
  const worker = async (): Promise<void> => {
    while (!over()) outcomes.push(await churnPod(node, outcomes.length + Math.floor(Math.random() * 1000), suite.busybox));
  };
  await Promise.all(Array.from({ length: podsAtOnce }, worker));
}

test('nothing is lost and nothing leaks', { timeout: 600_000 }, async () => {
  const survivors: Survivor[] = [];
  for (const name of ['one', 'two', 'three']) survivors.push(await startSurvivor(node, name, suite.busybox));
  const outcomes: ChurnOutcome[] = [];
  let over = false;
  const churning = churn(outcomes, () => over);
  // An early failure must not be lost while the rounds go on.
  churning.catch(() => undefined);
  for (let round = 0; round < rounds; round += 1) await strike(round);
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

  const started = outcomes.filter((outcome) => outcome.started);
  expect(started.length).toBeGreaterThan(rounds);
  for (const { status, expectedCode, lines } of started) {
    expect({ code: status.exit_code, reason: status.reason, lines }).toEqual({ code: expectedCode, reason: 'Error', lines: expectedLines });
  }

  expect((await node.cri.listPods()).map(({ id }) => id).toSorted()).toEqual(survivors.map(({ podId }) => podId).toSorted());
  expect(await node.cri.listContainers()).toHaveLength(survivors.length);
  await node.removePods();
  expect(await node.leaks(10_000)).toEqual(noHoldings);
});
