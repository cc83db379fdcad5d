import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { Session } from '../../engine/model/session.ts';
import { BerthError } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { ClientStreams } from './client-streams.ts';
import { failure, type CommandStatus } from './status.ts';
import { terminalSizes } from './terminal-sizes.ts';

/** What a client is to be connected with. */
export interface Command {
  /** Starts or finds the process. */
  open(signal: AbortSignal): Promise<Session>;
  /** What the client is told when the process has ended. */
  ended(exitCode: number | undefined): CommandStatus;
}

/** Aborts with the reason that a client is told instead of the exit when berthd cannot wait for it. */
export type Interrupt = AbortSignal;

/** Connects a client with a process until one of the two is gone. Never rejects. */
export async function serveCommand(client: ClientStreams, command: Command, interrupt: Interrupt, log: Logger): Promise<void> {
  let status: CommandStatus;
  try {
    status = await converse(client, command, interrupt, log);
  } catch (err) {
    if (client.gone.aborted) return;
    log[err instanceof BerthError ? 'info' : 'error']({ err }, 'a streaming session failed');
    status = failure(err);
  }
  await client.finish(status);
}

async function converse(client: ClientStreams, command: Command, interrupt: Interrupt, log: Logger): Promise<CommandStatus> {
  const signal = AbortSignal.any([client.gone, interrupt]);
  signal.throwIfAborted();
  const session = await command.open(signal);
  try {
    void feed(client.stdin, session.stdin);
    void resize(client, session, log);
    await Promise.all([carry(session.stdout, client.stdout, signal), carry(session.stderr, client.stderr, signal)]);
    return command.ended(await abortable(session.exit, signal));
  } catch (error) {
    // The pipes fail with an error of their own when they are cut.
    throw signal.aborted ? signal.reason : error;
  } finally {
    await session.close();
  }
}

/** The process's output to the client, at the pace of the slower one. The end is not passed on: the status goes first. */
async function carry(from: Readable | undefined, to: Writable | undefined, signal: AbortSignal): Promise<void> {
  if (from === undefined || to === undefined) return;
  try {
    await pipeline(from, to, { signal, end: false });
  } catch (error) {
    if (to.destroyed) throw new BerthError('canceled', 'the client does not want the output any more', { cause: error });
    throw error;
  }
}

/** The client's input to the process. When the process does not want it, it is still read: the client's other streams are behind it. */
async function feed(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) return;
  if (to !== undefined) {
    from.pipe(to);
    await finished(to, { readable: false }).catch(() => undefined);
    from.unpipe(to);
  }
  from.resume();
}

async function resize({ resize: from, gone }: ClientStreams, session: Session, log: Logger): Promise<void> {
  if (from === undefined) return;
  try {
    for await (const size of terminalSizes(from)) await session.resize(size);
  } catch (err) {
    if (!gone.aborted && !from.destroyed) log.debug({ err }, 'a terminal was not resized');
  }
  from.resume();
}
