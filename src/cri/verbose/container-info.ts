import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../../engine/model/container.ts';
import { infoJson } from '../codec/json.ts';
import type { StringMap } from '../messages/common.ts';

/** The OCI spec that the container runs with; null before the start and once the bundle is gone. */
async function runtimeSpec(bundle: string | undefined): Promise<unknown> {
  if (bundle === undefined) return null;
  try {
    return JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** What `crictl inspect` prints under `info`. */
export async function containerInfo(container: Container): Promise<StringMap> {
  const { task, podId, state, config, waterfall } = container;
  return {
    info: infoJson({
      sandboxID: podId,
      pid: task?.pid ?? 0,
      removing: state === 'removing',
      runtimeType: task?.handler ?? '',
      bundle: task?.bundle ?? '',
      shimAddress: task?.address ?? '',
      config,
      runtimeSpec: await runtimeSpec(task?.bundle),
      waterfall,
    }),
  };
}
