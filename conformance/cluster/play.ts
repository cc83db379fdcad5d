/**
 * A cluster for a person to play with, which goes on in the background: `play.ts up` starts it and says how to use it,
 * `play.ts down` takes it down. Its state is kept in the build folder, or in one that is named as a second argument.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestImages } from '../fixtures/test-images.ts';
import { readKernelTunables } from '../kubelet/kernel-tunables.ts';
import { buildPeers, peerPath, whyNotBuildable } from '../peers/build.ts';
import { Cluster, clusterPeers } from './cluster.ts';
import { absentDirectories, remainsOf, removeNewDirectories, sweep, type Machine, type Traces } from './remains.ts';

const build = join(import.meta.dirname, '../../build');
const stateDirectory = process.argv[3] ?? build;
const stateFile = join(stateDirectory, 'cluster.json');
const logFile = join(stateDirectory, 'cluster.log');

/** What is known of a cluster that is up. */
export interface State {
  /** The process that holds the cluster. */
  readonly pid: number;
  readonly traces: Traces;
  readonly machine: Machine;
  readonly kubeconfig: string;
  readonly images: readonly string[];
}

function readState(): State | undefined {
  return existsSync(stateFile) ? (JSON.parse(readFileSync(stateFile, 'utf8')) as State) : undefined;
}

/** Whether `pid` is a process of this file: pids come again. */
function holds(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(import.meta.filename);
  } catch {
    return false;
  }
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

function explain({ kubeconfig, images, traces }: State): void {
  say(`
A Kubernetes node on berth is up. From this machine:

  export KUBECONFIG=${kubeconfig}
  alias kubectl='${peerPath('kubectl')} --cache-dir=${traces.directory}/home'
  kubectl get nodes -o wide
  kubectl create deployment web --image=${images[1]} --replicas=20
  kubectl get pods -o wide      # their addresses answer from here
  kubectl exec -it deploy/web -- sh
  kubectl port-forward deploy/web 8080:80

Its registry, which may be the only one, has: ${images.join(' ')}
berth's own view: ${join(build, '../bin/berth')} --endpoint ${join(traces.scratch.dir, 'run/berth.sock')} pods
Its files and logs: ${traces.directory} ${traces.scratch.dir}/daemon.log
There is no kube-proxy and no DNS: services have no address that answers.
Take it down: make cluster-down`);
}

async function pushImages(cluster: Cluster): Promise<readonly string[]> {
  const images = new TestImages();
  return [cluster.busybox, await cluster.registry.push('httpd', '1', images.httpd()), await cluster.registry.push('nginx', '1', images.nginx())];
}

/** Holds a cluster until it is told to end, also when that is before it was up. */
async function hold(): Promise<void> {
  const machine: Machine = { tunables: readKernelTunables(), absent: absentDirectories() };
  const told = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => told.abort());
  const cluster = await Cluster.start();
  try {
    const state: State = { pid: process.pid, traces: cluster.traces, machine, kubeconfig: cluster.kubeconfig, images: await pushImages(cluster) };
    if (told.signal.aborted) return;
    writeFileSync(`${stateFile}.partial`, JSON.stringify(state));
    renameSync(`${stateFile}.partial`, stateFile);
    await once(told.signal, 'abort');
  } finally {
    await cluster.close();
    removeNewDirectories(machine.absent);
  }
}

async function up(): Promise<void> {
  const before = readState();
  if (before !== undefined && holds(before.pid)) {
    explain(before);
    return;
  }
  if (before !== undefined) throw new Error('the cluster that ran here ended without being taken down: make cluster-down');
  const unbuildable = whyNotBuildable();
  if (unbuildable !== undefined) throw new Error(unbuildable);
  await buildPeers(clusterPeers, say);
  mkdirSync(stateDirectory, { recursive: true });
  const log = openSync(logFile, 'w');
  const holder = spawn(process.execPath, [import.meta.filename, 'hold', stateDirectory], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  say('starting etcd, the API server, its controllers, berthd and a kubelet');
  // In a session of its own, it does not hear a Ctrl-C.
  const interrupt = (): void => {
    say('taking down what has come up so far');
    holder.kill();
  };
  process.on('SIGINT', interrupt);
  while (readState() === undefined && holder.exitCode === null && holder.signalCode === null) await sleep(100);
  const state = readState();
  if (state === undefined) throw new Error(`the cluster did not come up: ${readFileSync(logFile, 'utf8') || 'it was interrupted'}`);
  holder.unref();
  process.off('SIGINT', interrupt);
  explain(state);
}

async function down(): Promise<void> {
  const state = readState();
  if (state === undefined) {
    say('no cluster is up');
    return;
  }
  if (holds(state.pid)) process.kill(state.pid, 'SIGTERM');
  for (let tries = 0; tries < 900 && holds(state.pid); tries += 1) await sleep(100);
  if (holds(state.pid)) process.kill(state.pid, 'SIGKILL');
  await sleep(100);
  if (remainsOf(state.traces).length > 0) await sweep(state.traces, state.machine);
  const remains = remainsOf(state.traces);
  if (remains.length > 0) throw new Error(`these are left: ${remains.join('\n')}`);
  rmSync(stateFile);
  say('the cluster is gone, with all that was in it');
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, hold, down };
try {
  const command = commands[process.argv[2] ?? ''];
  if (command === undefined) throw new Error(`usage: play.ts ${Object.keys(commands).join('|')} [DIRECTORY]`);
  await command();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
