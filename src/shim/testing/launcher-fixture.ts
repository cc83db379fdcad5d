import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { shimMethods } from '../methods.ts';
import type { RuntimeHandler, Task, TaskHandle } from '../port.ts';
import { TtrpcShimLauncher } from '../shim-launcher.ts';
import { type FakeAgent, fakeAgent } from './fake-agent.ts';
import { FakeShim, type Handlers } from './fake-shim.ts';

export const methods = shimMethods();
const berth: RuntimeHandler = { name: 'crun', shim: '/opt/berth-shim', runtime: '/usr/bin/crun', runtimeRoot: '/run/crun', systemdCgroup: false, protocol: 'berth' };
const foreign: RuntimeHandler = { ...berth, name: 'foreign', shim: '/opt/containerd-shim', protocol: 'containerd' };
const vm: RuntimeHandler = { ...foreign, name: 'vm', runtime: '' };

/** What a promise fails with, undefined when it does not. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

type Printed = { readonly stdout?: string; readonly stderr?: string; readonly exitCode?: number };

/** A launcher over shims whose behaviour the test decides, in a directory of the test's own. */
class LauncherFixture {
  directory!: string;
  launcher!: TtrpcShimLauncher;
  commands!: FakeAgent;
  shims!: FakeShim[];
  sockets!: number;
  /** What the shim's `start` prints. */
  answer!: Printed;
  /** What `berth-shim streams` prints. */
  streams!: Printed;

  readonly shimOf = async (handlers: Handlers = {}): Promise<FakeShim> => {
    this.sockets += 1;
    const shim = await FakeShim.listen(join(this.directory, `s${this.sockets}`), methods, handlers);
    this.shims.push(shim);
    this.answer = { stdout: JSON.stringify({ version: 3, address: shim.address, protocol: 'ttrpc' }) };
    return shim;
  };

  readonly bundle = (id: string): string => {
    const path = join(this.directory, id);
    mkdirSync(path, { recursive: true });
    return path;
  };

  readonly launch = (handler = 'crun', more: { readonly terminal?: boolean } = {}, signal?: AbortSignal): Promise<Task> => {
    const id = 'c1';
    const rootfs = [{ type: 'overlay', source: 'overlay', options: ['lowerdir=/a'] }];
    return this.launcher.launch(handler, { id, bundle: this.bundle(id), rootfs, terminal: false, stdin: false, stdinOnce: false, logPath: '/var/log/a b/0.log', maxLogLineBytes: 4096, ...more }, signal);
  };

  readonly handleOf = (shim: FakeShim, id = 'c1', handler = 'crun'): TaskHandle => ({ id, handler, address: shim.address, version: 3, bundle: this.bundle(id), pid: 0 });

  readonly attached = async (shim: FakeShim, handler = 'crun'): Promise<Task> => {
    const task = await this.launcher.attach(this.handleOf(shim, 'c1', handler));
    if (task === undefined) throw new Error('nothing to attach to');
    return task;
  };
}

/** Sets up each test of the file that calls this, and cleans up after it. */
export function launcherFixture(): LauncherFixture {
  const fixture = new LauncherFixture();
  beforeEach(async () => {
    fixture.directory = mkdtempSync(join(tmpdir(), 'bsl-'));
    fixture.shims = [];
    fixture.sockets = 0;
    fixture.streams = {};
    fixture.commands = fakeAgent(({ argv }) => (argv.at(-1) === 'start' ? fixture.answer : argv[1] === 'streams' ? fixture.streams : {}));
    fixture.launcher = new TtrpcShimLauncher({ agent: fixture.commands.agent, clock: systemClock }, { handlers: [berth, foreign, vm], runRoot: fixture.directory, berthShim: '/opt/berth-shim' });
    await fixture.launcher.open();
  });
  afterEach(async () => {
    await fixture.launcher.close();
    for (const shim of fixture.shims) await shim.die();
    rmSync(fixture.directory, { recursive: true });
  });
  return fixture;
}
