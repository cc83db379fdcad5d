import type { Agent, HostPath, LookRequest } from '../agent/port.ts';
import { BerthError, isKind } from '../lib/errors.ts';
import { abortable } from '../lib/keyed-mutex.ts';

/** As many threads as the agent has for them. */
const mostStuck = 64;
/** Many times what a look takes. */
const stuckMs = 1000;
/** Paths that an error names. */
const mostNamed = 5;

const hint = 'its file system hangs: see /proc/mounts, and bring its server back or detach it with umount --lazy';

interface Look {
  readonly path: string;
  readonly answer: Promise<HostPath>;
  readonly begunMs: number;
}

/**
 * Looks at paths that a client named, whose file system may never answer (FUSE, NFS): not on a thread of ours, which all
 * would wait for, but in the agent. Each path is looked at once at a time, until the answer comes, whoever has left
 * meanwhile: those who ask again for one that hangs take no further thread.
 */
export class HostPaths {
  readonly #agent: Pick<Agent, 'lookAtPath'>;
  readonly #looks = new Map<string, Look>();

  constructor(agent: Pick<Agent, 'lookAtPath'>) {
    this.#agent = agent;
  }

  /**
   * What is at a path. Says of what is not there or cannot be followed that it is so.
   * @throws BerthError `timeout` or `canceled` when the signal aborts first, `exhausted` at once where too many do not answer.
   */
  async look(request: LookRequest, signal: AbortSignal): Promise<HostPath> {
    signal.throwIfAborted();
    const key = JSON.stringify(request);
    const { answer } = this.#looks.get(key) ?? this.#begin(key, request);
    try {
      return await abortable(answer, signal);
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
      const kind = isKind(error, 'canceled') ? 'canceled' : 'timeout';
      throw new BerthError(kind, `${request.path} of the node was not found out about: nothing answered until the call was over`, { hint, cause: error });
    }
  }

  #begin(key: string, request: LookRequest): Look {
    this.#checkRoom(request.path);
    const look = { path: request.path, answer: this.#agent.lookAtPath(request), begunMs: performance.now() };
    const over = (): void => void this.#looks.delete(key);
    this.#looks.set(key, look);
    look.answer.then(over, over);
    return look;
  }

  #checkRoom(path: string): void {
    const nowMs = performance.now();
    const stuck = [...this.#looks.values()].filter(({ begunMs }) => nowMs - begunMs > stuckMs);
    if (stuck.length < mostStuck) return;
    const named = stuck.slice(0, mostNamed).map((look) => look.path).join(', ');
    throw new BerthError('exhausted', `${path} of the node cannot be looked at: ${stuck.length} other paths do not answer, such as ${named}`, { hint });
  }
}
