import type { Image } from '../../images/port.ts';
import { infoJson } from '../codec/json.ts';
import type { StringMap } from '../messages/common.ts';

/** What `crictl inspecti` prints under `info`. */
export function imageInfo(image: Image): StringMap {
  const { user, env, entrypoint, cmd, workingDir, volumes, stopSignal, labels } = image.config;
  return {
    info: infoJson({
      chainID: image.topSnapshot ?? '',
      manifestDigest: image.manifestDigest,
      layers: image.layers,
      imageSpec: {
        config: {
          User: user,
          Env: env,
          Entrypoint: entrypoint,
          Cmd: cmd,
          WorkingDir: workingDir,
          Volumes: Object.fromEntries(volumes.map((volume) => [volume, {}])),
          StopSignal: stopSignal,
          Labels: labels,
        },
        rootfs: { type: 'layers', diff_ids: image.layers.map(({ diffId }) => diffId) },
      },
    }),
  };
}
