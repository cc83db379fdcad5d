import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { Task } from '../../src/shim/port.ts';
import { TtrpcShimLauncher } from '../../src/shim/shim-launcher.ts';
import { runsc, whyNoRunsc } from '../fixtures/runsc.ts';
import { missing, nativeDirectory, PrivateAgent } from '../native/private-agent.ts';
import { buildPeers, type PeerName, peerPath, whyNotBuildable } from '../peers/build.ts';
import { type Bundle, type BundleOptions, makeBundle, makeRoot } from './bundle.ts';

/** The shim under test. */
export const berthShim = join(nativeDirectory, 'berth-shim');

export interface Handler {
  readonly name: string;
  readonly shim: string;
  /** The shim is made by this recipe. */
  readonly peer?: PeerName;
  readonly runtime: string;
  readonly protocol: 'berth' | 'containerd';
  /** What cannot be expected of these two, and why. */
  readonly lacks?: { readonly limits?: string | undefined; readonly update?: string };
}

const berth = { shim: berthShim, protocol: 'berth' } as const;
const foreign = (peer: PeerName) => ({ shim: peerPath(peer), peer, protocol: 'containerd' }) as const;

/** Those of containerd's Rust shim look in v1's `cpu.stat` for what only v2's has; those for v2 are whole. */
const rustStatsLack = existsSync('/sys/fs/cgroup/cgroup.controllers') ? undefined : 'the shim tells neither CPU time nor limits on cgroup v1';

/** Every combination that must behave alike. */
export const handlers: readonly Handler[] = [
  { name: 'berth-shim + crun', ...berth, runtime: '/usr/bin/crun' },
  { name: 'berth-shim + runc', ...berth, runtime: '/usr/sbin/runc' },
  { name: 'berth-shim + runsc', ...berth, runtime: runsc, lacks: { update: 'runsc has no `update`' } },
  { name: 'containerd-shim-runc-v2 + runc', ...foreign('containerd-shim-runc-v2'), runtime: '/usr/sbin/runc' },
  { name: 'containerd-shim-runc-v2-rs + runc', ...foreign('containerd-shim-runc-v2-rs'), runtime: '/usr/sbin/runc', lacks: { limits: rustStatsLack } },
  { name: 'containerd-shim-runc-v2 + crun', ...foreign('containerd-shim-runc-v2'), runtime: '/usr/bin/crun' },
];

/** Processes whose environment or arguments name this directory. */
export function processesIn(directory: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
        const cwd = execFileSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
        return line.includes(directory) || cwd.startsWith(directory) ? [`${pid} ${line}`] : [];
      } catch {
        return [];
      }
    });
}

/** Kills what a failed test left in its cgroups, and removes those. */
export async function removeCgroups(name: string): Promise<void> {
  for (const directory of globSync(`/sys/fs/cgroup/*/${name}`)) {
    const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    for (const child of children) {
      for (const pid of readFileSync(join(child, 'cgroup.procs'), 'utf8').split('\n').filter((line) => line !== '')) process.kill(Number(pid), 'SIGKILL');
      await vi.waitFor(() => {
        rmdirSync(child);
      });
    }
    rmdirSync(directory);
  }
}

/** Why a handler cannot be tried here, or undefined. */
export function lacking({ shim, peer, runtime }: Handler): string | undefined {
  const unfetched = runtime === runsc ? whyNoRunsc() : undefined;
  if (unfetched !== undefined) return unfetched;
  const absent = missing(join(nativeDirectory, 'berth-agent'), berthShim, runtime, '/bin/busybox');
  if (absent !== undefined) return `needs ${absent}`;
  return peer === undefined || existsSync(shim) ? undefined : whyNotBuildable(peer);
}

/** Builds what a handler needs: minutes where it is not there yet. */
export async function prepare({ peer }: Handler): Promise<void> {
  if (peer !== undefined) await buildPeers([peer]);
}

export interface Running {
  readonly task: Task;
  readonly bundle: Bundle;
}

export interface Wish extends BundleOptions {
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly unlogged?: boolean;
}

const sigkill = 9;

/** The daemon's shim driver on one handler, with containers of its own. */
export class ShimLab {
  readonly #directory = mkdtempSync(join(tmpdir(), 'bx-'));
  readonly #root = makeRoot(join(this.#directory, 'root'));
  readonly #agent = new PrivateAgent(this.#directory);
  readonly #launcher: TtrpcShimLauncher;
  readonly #tasks: Task[] = [];

  constructor({ shim, runtime, protocol }: Handler) {
    mkdirSync(join(this.#directory, 'bundles'));
    const handler = { name: 'it', shim, runtime, runtimeRoot: join(this.#directory, 'runtime'), systemdCgroup: false, protocol };
    this.#launcher = new TtrpcShimLauncher({ agent: this.#agent.agent, clock: systemClock }, { handlers: [handler], runRoot: this.#directory, berthShim });
  }

  open(): Promise<void> {
    return this.#launcher.open();
  }

  /** A container that runs until `clear`. */
  async running(wish: Wish): Promise<Running> {
    const bundle = makeBundle(join(this.#directory, 'bundles'), this.#root, wish);
    const { id, path, rootfs, logPath } = bundle;
    const { stdin = false, stdinOnce = false, terminal = false, unlogged = false } = wish;
    const task = await this.#launcher.launch('it', { id, bundle: path, rootfs, terminal, stdin, stdinOnce, logPath: unlogged ? undefined : logPath, maxLogLineBytes: 16_384 });
    this.#tasks.push(task);
    await task.start();
    return { task, bundle };
  }

  idle(): Promise<Running> {
    return this.running({ script: 'sleep 1000' });
  }

  /** What sessions left in a bundle. */
  leftovers({ bundle }: Running): readonly string[] {
    return readdirSync(bundle.path).filter((file) => /^(exec|attach)-/.test(file));
  }

  /** Ends the containers, also those that a test has removed. */
  async clear(): Promise<void> {
    for (const task of this.#tasks.splice(0)) {
      await task.kill(sigkill, { all: true }).catch(() => undefined);
      await task.wait(AbortSignal.timeout(10_000)).catch(() => undefined);
      await task.remove();
    }
  }

  async close(): Promise<void> {
    await this.#launcher.close();
    await this.#agent.close();
    await removeCgroups(basename(this.#directory));
    await vi.waitFor(() => expect(processesIn(this.#directory)).toEqual([]), { timeout: 5000 });
    rmSync(this.#directory, { recursive: true });
  }
}

/** These tests for each handler, in a lab of its own. One that cannot be tried here is a skip that says why. */
export function describeHandlers(tests: (handler: Handler, lab: () => ShimLab) => void): void {
  describe.each(handlers)('$name', (handler) => {
    const absent = lacking(handler);
    if (absent !== undefined) {
      console.warn(`skipped: ${handler.name}: ${absent}`);
      test.skip(`${absent}`, () => undefined);
      return;
    }
    let lab: ShimLab;
    beforeAll(async () => {
      await prepare(handler);
      lab = new ShimLab(handler);
      await lab.open();
    }, 900_000);
    beforeEach(() => () => lab.clear());
    afterAll(async () => lab?.close());
    tests(handler, () => lab);
  });
}
