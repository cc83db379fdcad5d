import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How a command ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  /** Leave its stdin open after the input. */
  readonly keepStdin?: boolean;
  /** Default: a minute. */
  readonly timeoutMs?: number;
  /** Over the environment that it has anyway. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it so that it does not outlive this process. */
function start({ program, args, env }: Command): ChildProcessWithoutNullStreams {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], { env, stdio: 'pipe' });
  // It may end without reading all.
  child.stdin.on('error', () => undefined);
  return child;
}

/** Runs a command to its end. @throws Error when time is up. */
export async function runToEnd(command: Command, { input = '', keepStdin = false, timeoutMs = 60_000 }: RunOptions): Promise<Ending> {
  const child = start(command);
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
  child.stdin.write(input);
  if (!keepStdin) child.stdin.end();
  const text = (kind: keyof typeof chunks): string => Buffer.concat(chunks[kind]).toString();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command.program} ${command.args.join(' ')} took more than ${timeoutMs} ms; it said: ${text('stderr')} ${text('stdout').slice(-1000)}`));
    }, timeoutMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, stdout: text('stdout'), stderr: text('stderr') });
    });
  });
}

/** A command that goes on while the test does other things. */
export class BackgroundCommand implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  #output = '';

  private constructor(command: Command) {
    this.#child = start(command);
    this.#ended = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
  }

  /** Starts it and waits until its output matches. @throws Error with the output when it ends or 20 s have passed. */
  static async start(command: Command, ready: RegExp): Promise<BackgroundCommand> {
    const background = new BackgroundCommand(command);
    for (let tries = 0; tries < 400 && background.#child.exitCode === null && !ready.test(background.#output); tries += 1) await sleep(50);
    if (ready.test(background.#output)) return background;
    await background.stop();
    throw new Error(`${command.program} ${command.args.join(' ')} did not get to work; it said: ${background.#output}`);
  }

  /** What it wrote so far, of both kinds. */
  output(): string {
    return this.#output;
  }

  /** Writes to its stdin. */
  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** SIGTERM, and waits for the end. */
  async stop(): Promise<void> {
    this.#child.kill();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
