import { flushCompileCache } from 'node:module';
import type { Config } from '../config/schema.ts';
import type { RootLogger } from '../telemetry/log.ts';
import { compose } from './compose.ts';
import { notifySystemd } from './notify.ts';
import { reload } from './reload.ts';
import { Shutdown } from './shutdown.ts';

export interface Daemon {
  /** Takes no more calls, lets running ones end, and leaves containers running. Idempotent. */
  stop(why: string): Promise<void>;
  /** Takes over what may change while it runs, and says in the log what may not. Fails `invalid`, and then goes on as before. */
  reload(config: Config): void;
}

/**
 *   compose ──▶ serving, gate closed ──recover──▶ ready ──stop──▶ draining ──▶ stopped
 *
 * Fails when a part cannot be started; what was started until then is stopped again.
 */
export async function startDaemon(config: Config, log: RootLogger): Promise<Daemon> {
  const shutdown = new Shutdown(log);
  try {
    const parts = await compose(config, log, shutdown);
    const { runtimeReason } = parts.engine.status();
    if (runtimeReason !== '') log.error({ runtimeReason }, 'no pod can start');
    const startedMs = performance.now();
    await parts.engine.recover();
    parts.metrics.recovered((performance.now() - startedMs) / 1000);
    parts.gate.open();
    await notifySystemd(parts.agent, '--ready').catch((err: unknown) => {
      log.warn({ err }, 'systemd could not be told that berthd is ready');
    });
    log.info({ socket: config.cri.socket, recoveryMs: Math.round(performance.now() - startedMs), rssMiB: Math.round(process.memoryUsage.rss() / (1 << 20)) }, 'berthd is ready');
    // Otherwise written at a clean exit only; see bin/berthd.
    flushCompileCache();
    return {
      stop: async (why) => {
        log.info({ why }, 'berthd stops; containers go on');
        parts.gate.close('berthd is shutting down');
        await shutdown.run();
      },
      reload: (next) => {
        reload({ ...parts, log }, config, next);
      },
    };
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}
