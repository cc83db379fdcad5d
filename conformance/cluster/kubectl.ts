import { setTimeout as sleep } from 'node:timers/promises';
import { peerPath } from '../peers/build.ts';
import { BackgroundCommand, runToEnd, type Command, type Ending, type RunOptions } from './command.ts';

export interface BackgroundOptions {
  /** What its output has in it once it is at work. */
  readonly ready: RegExp;
  /** Give it a terminal. */
  readonly terminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** The size of every terminal that {@link Kubectl} makes. */
export const terminalSize = { rows: 43, columns: 131 } as const;

interface Meta {
  readonly metadata: { readonly name: string };
}

/** The real kubectl against one cluster, run on this machine as a person would. */
export class Kubectl {
  readonly #environment: NodeJS.ProcessEnv;

  /** @param home keeps what kubectl caches. */
  constructor(kubeconfig: string, home: string) {
    this.#environment = { ...process.env, KUBECONFIG: kubeconfig, HOME: home };
  }

  #command(args: readonly string[], { terminal = false, env = {} }: { readonly terminal?: boolean; readonly env?: Readonly<Record<string, string>> } = {}): Command {
    const environment = { ...this.#environment, ...env };
    if (!terminal) return { program: peerPath('kubectl'), args, env: environment };
    const quoted = [peerPath('kubectl'), ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    return { program: 'script', args: ['-qec', `stty rows ${terminalSize.rows} columns ${terminalSize.columns}; exec ${quoted}`, '/dev/null'], env: environment };
  }

  /** Runs it to its end, whatever that is. @throws Error when time is up. */
  async attempt(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
    return runToEnd(this.#command(args, options), options);
  }

  /** Like `kubectl` on a terminal, which `script` makes; output of both kinds comes as one, lines ended by `\r\n`. */
  async onTerminal(args: readonly string[], options: RunOptions = {}): Promise<Ending> {
    // At its end `script` would type a NUL.
    return runToEnd(this.#command(args, { ...options, terminal: true }), { ...options, keepStdin: true });
  }

  /** Starts it and returns once it is at work. */
  async background(args: readonly string[], options: BackgroundOptions): Promise<BackgroundCommand> {
    return BackgroundCommand.start(this.#command(args, options), options.ready);
  }

  /** What it printed. @throws Error with what it said when it failed. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.attempt(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr.trim()} ${stdout.slice(-500)}`);
    return stdout;
  }

  async apply(...objects: readonly object[]): Promise<void> {
    await this.run(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  }

  /** Deletes objects that {@link apply} made and waits until they are gone. */
  async remove(...objects: readonly object[]): Promise<void> {
    await this.run(['delete', '--ignore-not-found', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  }

  async get<Kind = Meta>(kind: string, name: string): Promise<Kind> {
    return JSON.parse(await this.run(['get', kind, name, '-o', 'json'])) as Kind;
  }

  async list<Kind = Meta>(kind: string, selector: string): Promise<readonly Kind[]> {
    return (JSON.parse(await this.run(['get', kind, '-l', selector, '-o', 'json'])) as { readonly items: readonly Kind[] }).items;
  }

  /** Polls until `accept` takes the object. @throws Error with its last status when time is up. */
  async until<Kind>(kind: string, name: string, accept: (object: Kind) => boolean, timeoutMs = 60_000): Promise<Kind> {
    const deadline = Date.now() + timeoutMs;
    let last: unknown;
    while (Date.now() < deadline) {
      const object = await this.get<Kind>(kind, name).catch((error: unknown) => {
        last = error;
        return undefined;
      });
      if (object !== undefined) {
        if (accept(object)) return object;
        last = (object as { readonly status?: unknown }).status;
      }
      await sleep(200);
    }
    const events = await this.run(['get', 'events', '--field-selector', `involvedObject.name=${name}`]).catch(String);
    throw new Error(`${kind} ${name} did not get there within ${timeoutMs} ms; last: ${last instanceof Error ? last.message : JSON.stringify(last)}\n${events}`);
  }
}
