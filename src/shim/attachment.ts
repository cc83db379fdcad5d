import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BerthError } from '../lib/errors.ts';
import type { ContainerMethods, StdioPaths } from './methods.ts';
import type { Session, StreamChoice, TaskExit, TerminalSize } from './port.ts';
import type { ShimParts, ShimTarget } from './shim-parts.ts';
import { StreamFifos } from './stream-fifos.ts';

type AttachPaths = Parameters<ContainerMethods['attach']['request']['encode']>[0];

/** What an attachment needs of its task. */
export interface Attachable {
  /** Asks whoever moves the container's output to join the FIFOs. */
  join(paths: AttachPaths, signal: AbortSignal | undefined): Promise<void>;
  wait(signal: AbortSignal): Promise<TaskExit | undefined>;
  resize(size: TerminalSize): Promise<void>;
}

/** Joins a client to the container's own streams. */
export async function openAttachment(parts: ShimParts, target: ShimTarget, to: Attachable & { readonly streams: StreamChoice }, signal?: AbortSignal): Promise<Session> {
  signal?.throwIfAborted();
  const directory = join(target.handle.bundle, `attach-${randomBytes(8).toString('hex')}`);
  const fifos = await StreamFifos.make(parts.agent, { directory, streams: to.streams, afterStdin: async () => undefined });
  try {
    await to.join(withoutTerminal(fifos.paths), signal);
  } catch (error) {
    fifos.abandon();
    throw error;
  }
  fifos.opened();
  return new Attachment(fifos, to);
}

function withoutTerminal({ stdin, stdout, stderr }: StdioPaths): AttachPaths {
  return { stdin, stdout, stderr };
}

class Attachment implements Session {
  readonly stdin: Session['stdin'];
  readonly stdout: Session['stdout'];
  readonly stderr: Session['stderr'];
  readonly exit: Promise<number | undefined>;
  readonly #fifos: StreamFifos;
  readonly #to: Attachable;
  readonly #closing = new AbortController();

  constructor(fifos: StreamFifos, to: Attachable) {
    ({ stdin: this.stdin, stdout: this.stdout, stderr: this.stderr } = fifos);
    this.#fifos = fifos;
    this.#to = to;
    this.exit = this.#finish();
  }

  async resize(size: TerminalSize): Promise<void> {
    if (!this.#fifos.paths.terminal) throw new BerthError('precondition', 'the container has no terminal');
    await this.#to.resize(size);
  }

  async close(): Promise<void> {
    this.#fifos.abandon();
    this.#closing.abort();
    await this.exit;
  }

  async #finish(): Promise<number | undefined> {
    const exit = await this.#to.wait(this.#closing.signal).catch(() => undefined);
    await this.#fifos.settle();
    this.#fifos.remove();
    return exit?.exitCode;
  }
}
