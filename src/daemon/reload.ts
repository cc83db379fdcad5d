import type { Config } from '../config/schema.ts';
import type { ImageStore } from '../images/image-service.ts';
import type { StreamingServer } from '../remotecommand/streaming-server.ts';
import type { RootLogger } from '../telemetry/log.ts';
import { imageSettings } from './settings.ts';

export interface Reloadable {
  readonly images: Pick<ImageStore, 'reload'>;
  readonly streaming: Pick<StreamingServer, 'reload'>;
  readonly log: RootLogger;
}

/**
 * Takes the log's level, the registries, the pinned images and the streaming certificates over from `next`; `first` is what
 * the daemon was started with. Fails `invalid` when one of them cannot be used. deploy/systemd/config.toml says so, too.
 */
export function reload({ images, streaming, log }: Reloadable, first: Config, next: Config): void {
  streaming.reload();
  images.reload(imageSettings(next));
  const later = waiting(first, next);
  // Whoever sent the signal looks for the answer, at whatever level.
  log.setLevel('info');
  log.info(later.length === 0 ? {} : { atNextStart: later }, 'the configuration was read again');
  log.setLevel(next.log.level);
}

/** Tables whose other settings have changed: those count from the next start on. */
function waiting(first: Config, next: Config): readonly string[] {
  const [before, after] = [fixed(first), fixed(next)];
  return Object.keys(before).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
}

function fixed(config: Config): Readonly<Record<string, unknown>> {
  return { ...config, registries: {}, log: config.log.format, images: { ...config.images, pinned: [] } };
}
