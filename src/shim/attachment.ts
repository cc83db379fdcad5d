import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BerthError } from '../lib/errors.ts';
import type { ContainerMethods, StdioPaths } from './methods.ts';
import type { AttachChoice, Session, TaskExit, TerminalSize } from './port.ts';
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
export async function openAttachment(parts: ShimParts, target: ShimTarget, to: Attachable & { readonly streams: AttachChoice }, signal?: AbortSignal): Promise<Session> {
  signal?.throwIfAborted();
  const directory = join(target.handle.bundle, `attach-${randomBytes(8).toString('hex')}`);
  const inputEnded = Promise.withResolvers<void>();
  const afterStdin = async (): Promise<void> => {
    if (to.streams.endsWithInput === true) inputEnded.resolve();
  };
  const fifos = await StreamFifos.make(parts.agent, { directory, streams: to.streams, afterStdin });
  try {
    await to.join({ ...withoutTerminal(fifos.paths), endsWithInput: to.streams.endsWithInput === true }, signal);
  } catch (error) {
    fifos.abandon();
    throw error;
  }
  fifos.opened();
  return new Attachment(fifos, to, inputEnded.promise);
}

function withoutTerminal({ stdin, stdout, stderr }: StdioPaths): Omit<StdioPaths, 'terminal'> {
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

  /** @param inputEnded resolves when the client has ended the input that ends the session. */
  constructor(fifos: StreamFifos, to: Attachable, inputEnded: Promise<void>) {
    ({ stdin: this.stdin, stdout: this.stdout, stderr: this.stderr } = fifos);
    this.#fifos = fifos;
    this.#to = to;
    this.exit = this.#finish(inputEnded);
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

  async #finish(inputEnded: Promise<void>): Promise<number | undefined> {
    const ended = this.#to.wait(this.#closing.signal).catch(() => undefined);
    const exit = await Promise.race([ended, this.#leave(inputEnded)]);
    this.#closing.abort();
    await this.#fifos.settle();
    this.#fifos.remove();
    return exit?.exitCode;
  }

  /** The container goes on without this client: who moves its output says when. */
  async #leave(inputEnded: Promise<void>): Promise<undefined> {
    await inputEnded;
    await this.#fifos.ended();
    return undefined;
  }
}
