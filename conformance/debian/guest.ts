import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../fixtures/free-port.ts';
import { ServiceProcess } from '../fixtures/service-process.ts';
import { baseImage, type BaseImage, type Release } from './base-image.ts';
import { makePayload, packageFile } from './payload.ts';

/** No measure of speed: without KVM everything takes ten times as long, or a hundred where other things keep the processors busy. */
const bootMs = 1_200_000;
const runMs = 600_000;

const criSocket = '/run/berth/berth.sock';

/** A Debian under QEMU, on a disk of its own that is thrown away. It reaches nothing; ssh reaches it. */
export class Guest {
  readonly #base: BaseImage;
  readonly #port: number;
  readonly #payload: string;
  #machine: ServiceProcess | undefined;
  #master: ServiceProcess | undefined;
  readonly scratch: string;

  private constructor(base: BaseImage, port: number, scratch: string) {
    this.#base = base;
    this.#port = port;
    this.scratch = scratch;
    this.#payload = makePayload(scratch);
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base.disk, '-F', 'raw', join(scratch, 'disk.qcow2')]);
  }

  /** Boots a fresh machine. */
  static async start(release: Release): Promise<Guest> {
    const base = baseImage(release, packageFile);
    const guest = new Guest(base, await freePort(), mkdtempSync(join(tmpdir(), 'berth-vm-')));
    try {
      await guest.boot();
      return guest;
    } catch (error) {
      await guest.close();
      throw error;
    }
  }

  /** berthd's CRI socket, brought to this machine. */
  get socket(): string {
    return join(this.scratch, 'cri.sock');
  }

  get console(): string {
    return join(this.scratch, 'console.log');
  }

  /** Switches the machine on, as after {@link ended} or {@link cutPower}, and waits until it has booted. */
  async boot(): Promise<void> {
    this.#machine = new ServiceProcess({ name: 'qemu', command: this.#qemu(), log: join(this.scratch, 'qemu.log') });
    for (const deadline = Date.now() + bootMs; !(await this.#connect()); await sleep(1000)) {
      if (!this.#machine.running) throw new Error(`qemu ended: ${this.#machine.tail()}`);
      if (Date.now() > deadline) throw new Error(`the machine does not answer ssh; see ${this.console}`);
    }
    await this.run('systemctl is-system-running --wait || true', bootMs);
  }

  #qemu(): readonly [string, ...string[]] {
    const { disk, kernel, initrd } = { ...this.#base, disk: join(this.scratch, 'disk.qcow2') };
    const console = ['-append', 'root=/dev/vda rw console=ttyS0 net.ifnames=1', '-monitor', 'none', '-display', 'none', '-chardev', `file,id=console,path=${this.console},append=on`, '-serial', 'chardev:console'];
    const disks = ['-drive', `file=${disk},if=virtio,cache=unsafe,discard=unmap`, '-drive', `file=${this.#payload},format=raw,if=virtio,readonly=on`];
    // Nothing leaves the machine, and a reboot ends qemu, so that the time of a shutdown can be told.
    const network = ['-netdev', `user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:${this.#port}-:22`, '-device', 'virtio-net-pci,netdev=n', '-no-reboot'];
    return ['nice', '-n', '5', 'qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '2G', '-kernel', kernel, '-initrd', initrd, ...console, ...disks, ...network];
  }

  get #options(): readonly string[] {
    const options = { ControlPath: join(this.scratch, 'ssh'), StrictHostKeyChecking: 'no', UserKnownHostsFile: '/dev/null', LogLevel: 'ERROR', BatchMode: 'yes', ConnectTimeout: '120', ServerAliveInterval: '30', ServerAliveCountMax: '20' };
    return ['-F', 'none', '-i', this.#base.sshKey, '-p', String(this.#port), ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  }

  /** One connection that all commands share, as each costs seconds, and that carries the CRI socket. */
  async #connect(): Promise<boolean> {
    await this.#master?.kill();
    rmSync(join(this.scratch, 'ssh'), { force: true });
    const forward = ['-o', 'StreamLocalBindUnlink=yes', '-L', `${this.socket}:${criSocket}`];
    this.#master = new ServiceProcess({ name: 'ssh', command: ['ssh', ...this.#options, '-M', '-N', ...forward, 'root@127.0.0.1'], log: join(this.scratch, 'ssh.log') });
    try {
      // A command would succeed over a connection of its own while this one is still being made, or never is.
      await this.#master.ready(async () => promisify(execFile)('ssh', [...this.#options, '-O', 'check', 'root@127.0.0.1']), 150_000);
      return true;
    } catch {
      return false;
    }
  }

  /** Runs a bash script as root; resolves with what it printed. @throws Error with its output when it fails. */
  async run(script: string, timeoutMs = runMs): Promise<string> {
    const child = spawn('ssh', [...this.#options, '-o', 'ControlMaster=no', 'root@127.0.0.1', 'bash -eu -o pipefail -s'], { stdio: ['pipe', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
    const out: Buffer[] = [];
    const all: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk) && all.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => all.push(chunk));
    // One that cannot be reached does not read.
    child.stdin.on('error', () => undefined);
    child.stdin.end(script);
    const code = await new Promise((resolve) => child.once('close', (status, signal) => { resolve(status ?? signal); }));
    if (code !== 0) throw new Error(`${script.trim()}\nended with ${String(code)}:\n${Buffer.concat(all).toString().slice(-4000)}`);
    return Buffer.concat(out).toString();
  }

  /** Waits until the machine is off; resolves with the seconds that took. */
  async ended(timeoutMs = bootMs): Promise<number> {
    const began = performance.now();
    while (this.#machine?.running === true) {
      if (performance.now() - began > timeoutMs) throw new Error(`the machine does not go off; see ${this.console}`);
      await sleep(200);
    }
    await this.#master?.kill();
    return (performance.now() - began) / 1000;
  }

  /** Off at once; what the machine had not written is lost. */
  async cutPower(): Promise<void> {
    await this.#machine?.kill();
    await this.#master?.kill();
  }

  async close(): Promise<void> {
    await this.cutPower();
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
