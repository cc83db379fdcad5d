import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { ExecRequest, ExecResult } from '../../agent/port.ts';
import { createNetwork } from '../network.ts';
import type { CniAttachment, Network } from '../port.ts';

interface Run {
  readonly type: string;
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly input: Readonly<Record<string, unknown>>;
}

type Answer = string | { readonly exitCode: number; readonly stdout?: unknown; readonly stderr?: string } | Promise<string>;

export const address = (ip: string, more: object = {}): string => JSON.stringify({ cniVersion: '1.0.0', ips: [{ address: ip }], ...more });
const speaks = (...supportedVersions: readonly string[]): string => JSON.stringify({ cniVersion: '1.0.0', supportedVersions });

export const list = (types: readonly (string | object)[], more: object = {}): object => ({
  cniVersion: '1.0.0',
  name: 'test',
  plugins: types.map((type) => (typeof type === 'string' ? { type } : type)),
  ...more,
});

export const attachment = (more: Partial<CniAttachment> = {}): CniAttachment => ({ id: 'pod1', netnsPath: '/proc/self/ns/net', args: {}, portMappings: [], capabilities: {}, ...more });

export async function failure(promise: Promise<unknown>): Promise<BerthError> {
  const error: unknown = await promise.then(() => undefined, (caught: unknown) => caught);
  if (error instanceof BerthError) return error;
  throw new Error('a BerthError was expected', { cause: error });
}

/** A network over directories of its own, and what its plugins were asked. */
class NetworkFixture {
  dir!: string;
  runs!: Run[];
  lines!: string[];
  observed!: string[];
  plugins!: Record<string, (run: Run) => Answer>;
  #network: Network | undefined;

  begin(): void {
    this.dir = mkdtempSync(join(tmpdir(), 'berth-cni-'));
    mkdirSync(join(this.dir, 'conf'));
    mkdirSync(join(this.dir, 'bin'));
    [this.runs, this.lines, this.observed, this.plugins] = [[], [], [], {}];
  }

  end(): void {
    this.#network?.close();
    this.#network = undefined;
    rmSync(this.dir, { recursive: true });
  }

  plugin(type: string, answer: (run: Run) => Answer = () => address('10.0.0.2/24'), versions = ['0.3.1', '0.4.0', '1.0.0']): void {
    writeFileSync(join(this.dir, 'bin', type), '#!/bin/false\n');
    chmodSync(join(this.dir, 'bin', type), 0o755);
    this.plugins[type] = (run) => (run.command === 'VERSION' ? speaks(...versions) : answer(run));
  }

  conf(name: string, value: unknown): void {
    writeFileSync(join(this.dir, 'conf', name), typeof value === 'string' ? value : JSON.stringify(value));
  }

  open(environment: Readonly<Record<string, string>> = {}): Network {
    this.#network?.close();
    const log = { info: (_: object, message: string): unknown => this.lines.push(message), warn: (_: object, message: string): unknown => this.lines.push(message) };
    const observer = { pluginEnded: (type: string, command: string, _: number, ok: boolean): unknown => this.observed.push(`${type} ${command} ${ok}`) };
    const agent = { exec: async (request: ExecRequest): Promise<ExecResult> => this.#exec(request) };
    this.#network = createNetwork({ agent, log, observer }, { confDir: join(this.dir, 'conf'), binDirs: [join(this.dir, 'none'), join(this.dir, 'bin')], environment });
    return this.#network;
  }

  readonly commands = (): readonly string[] => this.runs.filter(({ command }) => command !== 'VERSION').map(({ type, command }) => `${type} ${command}`);

  /** Stands for the agent: plugins are functions, found like programs. */
  async #exec({ argv, env, stdin }: ExecRequest): Promise<ExecResult> {
    const type = argv[0].split('/').at(-1) ?? '';
    const run = { type, command: env['CNI_COMMAND'] ?? '', env, input: JSON.parse(Buffer.from(stdin ?? []).toString()) as Run['input'] };
    this.runs.push(run);
    const answer = await this.plugins[type]?.(run);
    if (answer === undefined) throw new Error(`no plugin ${type}`);
    const { exitCode, stdout = '', stderr = '' } = typeof answer === 'string' ? { exitCode: 0, stdout: answer } : answer;
    return { exitCode, stdout: Buffer.from(typeof stdout === 'string' ? stdout : JSON.stringify(stdout)), stderr: Buffer.from(stderr) };
  }
}

/** Made anew for each test of the file that calls it. */
export function networkFixture(): NetworkFixture {
  const fixture = new NetworkFixture();
  beforeEach(() => { fixture.begin(); });
  afterEach(() => { fixture.end(); });
  return fixture;
}
