import { parseArgs } from 'node:util';
import { defaultConfigPath, loadConfig, reloadConfig } from '../config/load-config.ts';
import { requireUsable } from '../config/require-usable.ts';
import type { Config } from '../config/schema.ts';
import { BerthError, messageOf } from '../lib/errors.ts';
import { createLogger, type Logger } from '../telemetry/log.ts';
import type { Daemon } from './lifecycle.ts';
import { packageVersion } from '../lib/version.ts';

const usage = `usage: berthd [--config FILE]
       berthd --version

  --config FILE   settings; default ${defaultConfigPath}, which alone may be absent
  --version       print the version
`;

function readArguments(): { readonly config: string; readonly version: boolean; readonly help: boolean } {
  try {
    const options = { config: { type: 'string', default: defaultConfigPath }, version: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new BerthError('invalid', messageOf(error), { hint: 'see berthd --help' });
  }
}

async function main(): Promise<void> {
  const { config: file, version, help } = readArguments();
  if (version || help) {
    process.stdout.write(help ? usage : `berthd ${packageVersion()}\n`);
    return;
  }
  const config = loadConfig(file);
  const log = createLogger(config.log);
  const die = (err: unknown): void => {
    log.error({ err }, 'berthd cannot go on');
    process.exit(1);
  };
  process.on('uncaughtException', die);
  // Loaded late, so that a version or a mistake is told without it.
  const { startDaemon } = await import('./lifecycle.ts');
  const starting = startDaemon(config, log);
  // From the beginning: its default would end berthd half way through its start.
  process.on('SIGHUP', () => {
    starting.then((daemon) => { reloadFrom(file, daemon, log); }, () => undefined);
  });
  // Node would open its debugger on the first, and end on the second.
  for (const name of ['SIGUSR1', 'SIGUSR2'] as const) process.on(name, () => undefined);
  const daemon = await starting;
  for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    process.once(name, () => {
      daemon.stop(`${name} came`).then(() => process.exit(0), die);
    });
  }
}

/** Reads the settings again; with ones that cannot be used, berthd goes on as it is. */
function reloadFrom(file: string, daemon: Daemon, log: Logger): void {
  try {
    const next = reloadConfig(file);
    daemon.reload(next);
    warnOfNextStart(next, file, log);
  } catch (err) {
    log.error({ err }, 'the configuration cannot be used; berthd goes on with the one it has');
  }
}

function warnOfNextStart(next: Config, file: string, log: Logger): void {
  try {
    requireUsable(next, file);
  } catch (err) {
    log.warn({ err }, 'berthd would not start again with this configuration');
  }
}

main().catch((error: unknown) => {
  // Before there is a log, and for a person at a terminal.
  process.stderr.write(`berthd: ${error instanceof BerthError ? error.text : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
