import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../agent/port.ts';
import { FifoReader } from './fifo-reader.ts';
import { FifoWriter } from './fifo-writer.ts';
import type { StdioPaths } from './methods.ts';
import type { StreamChoice } from './port.ts';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
const streamNames = ['stdin', 'stdout', 'stderr'] as const;
type StreamName = (typeof streamNames)[number];

/** How long after a process's end its outputs may be silent and still open. */
const silenceMs = 250;

export interface StreamFifosInit {
  /** Made, and removed with the FIFOs. */
  readonly directory: string;
  readonly streams: StreamChoice;
  /** Called when the client has ended stdin and our end of its FIFO is closed. */
  readonly afterStdin: () => Promise<void>;
}

/**
 * The FIFOs between one client and a shim. Until `opened` we hold both ends of each, so that neither the shim nor we take it
 * for ended when the other has not come yet.
 */
export class StreamFifos {
  stdin: FifoWriter | undefined;
  stdout: FifoReader | undefined;
  stderr: FifoReader | undefined;
  readonly paths: StdioPaths;
  readonly #directory: string;
  readonly #theirs: number[] = [];

  private constructor({ directory, streams }: StreamFifosInit) {
    const path = (name: StreamName): string => (streams[name] ? join(directory, name) : '');
    this.#directory = directory;
    this.paths = { terminal: streams.tty, stdin: path('stdin'), stdout: path('stdout'), stderr: path('stderr') };
  }

  /** Nothing is left when it fails. */
  static async make(agent: Agent, init: StreamFifosInit): Promise<StreamFifos> {
    await agent.makeFifos(init.directory, streamNames.filter((name) => init.streams[name]));
    const fifos = new StreamFifos(init);
    try {
      fifos.#open(init);
    } catch (error) {
      fifos.abandon();
      throw error;
    }
    return fifos;
  }

  /** The shim has opened its ends: what closes from here on is closed by somebody. */
  opened(): void {
    for (const fd of this.#theirs.splice(0)) closeSync(fd);
  }

  /** Resolves when the process, which has ended, will write no more and all of it is in the streams. */
  async settle(): Promise<void> {
    await Promise.all([this.stdout?.settle(silenceMs), this.stderr?.settle(silenceMs)]);
  }

  /** Resolves when the outputs have ended by themselves. */
  async ended(): Promise<void> {
    await Promise.all([this.stdout?.ended, this.stderr?.ended]);
  }

  /** Removes the FIFOs. What was received can still be read. */
  remove(): void {
    this.opened();
    this.stdin?.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The client is gone: nothing is read or written any more. */
  abandon(): void {
    this.stdout?.destroy();
    this.stderr?.destroy();
    this.remove();
  }

  /** What is open is noted before the next can fail. */
  #open({ streams, afterStdin }: StreamFifosInit): void {
    if (streams.stdin) {
      this.#theirs.push(openSync(this.paths.stdin, O_RDONLY | O_NONBLOCK));
      this.stdin = new FifoWriter(openSync(this.paths.stdin, O_WRONLY | O_NONBLOCK), afterStdin);
    }
    if (streams.stdout) {
      this.stdout = new FifoReader(openSync(this.paths.stdout, O_RDONLY | O_NONBLOCK));
      this.#theirs.push(openSync(this.paths.stdout, O_WRONLY | O_NONBLOCK));
    }
    if (streams.stderr) {
      this.stderr = new FifoReader(openSync(this.paths.stderr, O_RDONLY | O_NONBLOCK));
      this.#theirs.push(openSync(this.paths.stderr, O_WRONLY | O_NONBLOCK));
    }
  }
}
