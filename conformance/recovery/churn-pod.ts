import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerStatus, PodConfig } from '../fixtures/cri-types.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { eventually as within } from './eventually.ts';

/** What became of one short-lived pod. */
export interface ChurnOutcome {
  readonly number: number;
  readonly expectedCode: number;
  /** Whether StartContainer answered OK: then the exit must be known exactly. */
  readonly started: boolean;
  readonly status: ContainerStatus;
  /** Numbers that the program printed, as its log has them. */
  readonly lines: readonly number[];
}

const lineCount = 20;
/** A call may fail for as long as the next kill always comes before its end; a busy machine has many such rounds. */
const patienceMs = 180_000;

const eventually = async <Result>(call: () => Promise<Result>): Promise<Result> => within(call, patienceMs);

const codeOf = (number: number): number => (number % 120) + 1;

/** Prints numbered lines over a fifth of a second and ends with a code of its own. */
const script = (code: number): string => `i=0; while [ $i -lt ${lineCount} ]; do i=$((i+1)); echo $i; sleep 0.01; done; exit ${code}`;

export const expectedLines: readonly number[] = Array.from({ length: lineCount }, (_, index) => index + 1);

/** The numbers in a log whose every line is a whole entry. */
export function numbersIn(path: string): readonly number[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
  return lines.map((line) => Number(/^\S+ stdout F (\d+)$/.exec(line)?.[1] ?? Number.NaN));
}

/** Every third pod shares its PID namespace. */
function namespaces(number: number): { readonly security_context: object } {
  return { security_context: { namespace_options: { network: 'POD', pid: number % 3 === 0 ? 'POD' : 'CONTAINER', ipc: 'POD' } } };
}

/** Every fourth pod publishes a port of its own. */
function churnConfig(node: NodeDaemon, number: number): PodConfig {
  const config = podConfig(node.scratch, `churn-${number}`, { linux: { cgroup_parent: node.scratch.cgroup, ...namespaces(number) } });
  return number % 4 === 0 ? { ...config, port_mappings: [{ protocol: 'TCP', container_port: 80, host_port: 20_000 + (number % 10_000) }] } : config;
}

/** Runs a pod, trying anew under the next attempt when a crash came between, as the kubelet does. */
async function runPod(node: NodeDaemon, base: PodConfig): Promise<{ readonly id: string; readonly config: PodConfig }> {
  let attempt = 0;
  return eventually(async () => {
    const config = { ...base, metadata: { ...base.metadata, attempt } };
    attempt += 1;
    return { id: await node.cri.runPod(config), config };
  });
}

async function createContainer(node: NodeDaemon, pod: { readonly id: string; readonly config: PodConfig }, number: number, image: string): Promise<string> {
  let attempt = 0;
  return eventually(async () => {
    const over = { metadata: { name: 'main', attempt }, log_path: `main-${attempt}.log`, linux: namespaces(number) };
    const config = containerConfig(image, ['sh', '-c', script(codeOf(number))], over);
    attempt += 1;
    return node.cri.createContainer(pod.id, config, pod.config);
  });
}

/** Starts it; a container that ran or ended meanwhile needs no second start. */
async function start(node: NodeDaemon, id: string): Promise<boolean> {
  return eventually(async () => {
    const { state } = await node.cri.containerStatus(id);
    if (state !== 'CONTAINER_CREATED') return false;
    await node.cri.startContainer(id);
    return true;
  });
}

async function exited(node: NodeDaemon, id: string): Promise<ContainerStatus> {
  return eventually(async () => {
    const status = await node.cri.containerStatus(id);
    if (status.state !== 'CONTAINER_EXITED') throw new Error(`container ${id} is ${status.state}`);
    return status;
  });
}

async function remove(node: NodeDaemon, podId: string): Promise<void> {
  await eventually(async () => node.cri.stopPod(podId));
  await eventually(async () => node.cri.removePod(podId));
}

/** One short pod's whole life, whatever dies meanwhile. Rejects when the node cannot be made to end it. */
export async function churnPod(node: NodeDaemon, number: number, image: string): Promise<ChurnOutcome> {
  const expectedCode = codeOf(number);
  await sleep(Math.random() * 200);
  const pod = await runPod(node, churnConfig(node, number));
  const id = await createContainer(node, pod, number, image);
  const started = await start(node, id);
  const status = await exited(node, id);
  const lines = numbersIn(status.log_path);
  await remove(node, pod.id);
  return { number, expectedCode, started, status, lines };
}

/** Removes what failed attempts left visible. */
export async function sweep(node: NodeDaemon, keep: ReadonlySet<string>): Promise<void> {
  const pods = await eventually(async () => node.cri.listPods());
  for (const { id } of pods.filter((pod) => !keep.has(pod.id))) await remove(node, id);
}
