import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container } from '../../engine/model/container.ts';
import { runtimeAnnotations } from '../../shim/port.ts';
import { infoJson } from '../codec/json.ts';
import type { StringMap } from '../messages/common.ts';

/** The OCI spec that the container runs with; null before the start and once the bundle is gone. */
async function runtimeSpec(bundle: string | undefined): Promise<unknown> {
  if (bundle === undefined) return null;
  try {
    const spec = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8')) as { readonly annotations?: StringMap };
    return { ...spec, annotations: withoutRuntimeHints(spec.annotations ?? {}) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Long programs that only the runtime reads would hide everything else. */
function withoutRuntimeHints(annotations: StringMap): StringMap {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !name.startsWith(runtimeAnnotations)));
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
