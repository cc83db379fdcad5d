/**
 * `make soak`: keeps 24 pods on a berthd and replaces one after the other for MINUTES (20), with exec, log and stats in
 * between; prints what is held every 30 s, and fails when anything grows or is left.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CriSuite, type SuitePod } from '../cri/suite.ts';
import { bounds, sample, type Quantity, type Sample } from './sample.ts';
import { growth } from './slope.ts';

const pods = 24;
const workers = 2;
const everyMs = 30_000;
const minutes = Number(process.env['MINUTES'] ?? 20);

const quantities = Object.keys(bounds) as readonly Quantity[];
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const row = (cells: readonly string[]): string => cells.map((cell) => cell.padStart(13)).join(' ');

interface Slot {
  pod: SuitePod;
  container: string;
}

async function fill(suite: CriSuite): Promise<Slot> {
  const pod = await suite.pod({}, '');
  const container = await suite.run(pod, ['sh', '-c', 'trap "exit 0" TERM; while :; do echo tick; sleep 0.5; done']);
  return { pod, container };
}

/** What a kubelet does with a pod in its life. */
async function use(suite: CriSuite, { container }: Slot): Promise<void> {
  const { stdout } = await suite.cri.execSync(container, ['echo', 'hello'], 10);
  if (stdout.toString() !== 'hello\n') throw new Error(`exec in ${container} printed ${JSON.stringify(stdout.toString())}`);
  const { log_path: log } = await suite.cri.containerStatus(container);
  await suite.reaches(container, 'CONTAINER_RUNNING');
  if (!readFileSync(log, 'utf8').includes('tick')) throw new Error(`the log of ${container} is empty`);
  await suite.cri.containerStats(container);
  await suite.cri.call('ListContainerStats');
  await suite.cri.call('ListPodSandboxStats');
}

async function replace(suite: CriSuite, slot: Slot): Promise<void> {
  await suite.cri.stopContainer(slot.container, 2);
  await suite.cri.stopPod(slot.pod.id);
  await suite.cri.removePod(slot.pod.id);
  Object.assign(slot, await fill(suite));
}

async function churn(suite: CriSuite, slots: readonly Slot[], untilMs: number): Promise<number> {
  let replaced = 0;
  while (Date.now() < untilMs) {
    for (const slot of slots) {
      if (Date.now() >= untilMs) break;
      await use(suite, slot);
      await replace(suite, slot);
      replaced += 1;
    }
  }
  return replaced;
}

async function watch(suite: CriSuite, untilMs: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const began = Date.now();
  while (Date.now() < untilMs) {
    const now = sample(suite.node);
    samples.push(now);
    print(row([`${Math.round((Date.now() - began) / 1000)} s`, ...quantities.map((name) => (Number.isInteger(now[name]) ? String(now[name]) : now[name].toFixed(1)))]));
    await sleep(Math.min(everyMs, Math.max(0, untilMs - Date.now())));
  }
  return samples;
}

/** What grew, and what is left once every pod is removed. */
async function faults(suite: CriSuite, samples: readonly Sample[]): Promise<readonly string[]> {
  const grown = quantities.flatMap((name) => {
    const by = growth(samples.map((each) => each[name]), bounds[name]);
    return by === undefined ? [] : [`${name} grew by ${by.toFixed(1)} over the last half`];
  });
  await suite.node.removePods();
  const left = Object.entries(await suite.node.leaks()).flatMap(([kind, names]: [string, readonly string[]]) => names.map((name) => `left: ${kind} ${name}`));
  return [...grown, ...left];
}

const suite = await CriSuite.start({ log: { level: 'info' } });
try {
  const slots: Slot[] = [];
  for (let index = 0; index < pods; index += 1) slots.push(await fill(suite));
  const untilMs = Date.now() + minutes * 60_000;
  print(row(['time', ...quantities]));
  const share = Math.ceil(pods / workers);
  const work = Array.from({ length: workers }, (_, index) => churn(suite, slots.slice(index * share, (index + 1) * share), untilMs));
  const [samples, ...replaced] = await Promise.all([watch(suite, untilMs), ...work]);
  const found = await faults(suite, samples);
  for (const fault of found) print(fault);
  print(`${replaced.reduce((sum, count) => sum + count, 0)} pods replaced in ${minutes} minutes: ${found.length === 0 ? 'nothing grows and nothing is left' : `${found.length} faults`}`);
  process.exitCode = found.length === 0 ? 0 : 1;
} finally {
  await suite.close();
}
