import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bridge, cgroup, noteMachine } from './machine.ts';

const root = join(import.meta.dirname, '../..');

export interface DemoDaemon {
  readonly socket: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

function writeConfig(scratch: string): string {
  const cni = join(scratch, 'cni');
  mkdirSync(cni, { recursive: true });
  const ipam = { type: 'host-local', dataDir: join(scratch, 'ipam'), ranges: [[{ subnet: '10.187.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] };
  const plugins = [
    { type: 'bridge', bridge, isGateway: true, ipMasq: true, ipam },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];
  writeFileSync(join(cni, '10-demo.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'berth-demo', plugins }));
  const config = join(scratch, 'config.toml');
  writeFileSync(
    config,
    [
      `state_root = "${scratch}/state"`,
      `run_root = "${scratch}/run"`,
      '[metrics]',
      'listen = ""',
      '[cni]',
      `conf_dir = "${cni}"`,
      'bin_dirs = ["/usr/lib/cni"]',
      '[cgroup]',
      `parent = "/${cgroup}"`,
    ].join('\n'),
  );
  return config;
}

/**
 * berthd in a mount namespace of its own, so that nothing it mounts is seen outside. crun refuses the hybrid cgroup
 * hierarchy (v1 controllers with an empty v2 tree beside them), so that tree is covered there, by
 * something that takes what crun writes to it.
 */
const enter = 'mount --make-rshared / && { ! mountpoint -q /sys/fs/cgroup/unified || mount -t tmpfs none /sys/fs/cgroup/unified; } && exec "$@"';

export async function startDaemon(scratch: string): Promise<DemoDaemon> {
  const config = writeConfig(scratch);
  const log = openSync(join(scratch, 'berthd.log'), 'a');
  const restoreMachine = noteMachine();
  const daemon = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', enter, 'sh', join(root, 'bin/berthd'), '--config', config], {
    stdio: ['ignore', log, log],
    // The terminal's Ctrl-C must not reach it: it is still needed to remove the pod.
    detached: true,
    env: { ...process.env, CACHE_DIRECTORY: join(root, 'build/compile-cache') },
  });
  const exited = new Promise<void>((resolve) => {
    daemon.once('exit', () => {
      resolve();
    });
  });
  const stop = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    await Promise.race([exited, sleep(10_000, undefined, { ref: false })]);
    if (daemon.exitCode === null) daemon.kill('SIGKILL');
    restoreMachine();
  };
  return { socket: join(scratch, 'run/berth.sock'), process: daemon, stop };
}

/** Before its code is compiled and kept, berthd takes half a minute on a slow machine. */
const startMs = 60_000;

/** Waits until the socket answers Version; fails with the end of berthd's log when it does not. */
export async function waitReady(daemon: DemoDaemon, scratch: string, probe: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + startMs;
  while (performance.now() < deadline && daemon.process.exitCode === null) {
    try {
      await probe();
      return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error(`berthd did not come up; its log ends:\n${readFileSync(join(scratch, 'berthd.log'), 'utf8').slice(-2000)}`);
}
