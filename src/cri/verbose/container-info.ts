import { isLive, type Container } from '../../engine/model/container.ts';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import { runtimeAnnotations } from '../../shim/port.ts';
import { encodeContainerConfig } from '../codec/container-config.ts';
import { infoJson, protoJson } from '../codec/json.ts';
import type { StringMap } from '../messages/common.ts';

/** Long programs that only the runtime reads would hide everything else. */
function withoutRuntimeHints(annotations: StringMap): StringMap {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !name.startsWith(runtimeAnnotations)));
}

/** What `crictl inspect` prints under `info`. `pid` is 0 while no process is the container's: tools enter its namespaces by it. */
export function containerInfo(container: Container, spec: OciSpec | undefined): StringMap {
  const { task, podId, state, config, waterfall } = container;
  return {
    info: infoJson({
      sandboxID: podId,
      pid: isLive({ state }) ? (task?.pid ?? 0) : 0,
      removing: state === 'removing',
      runtimeType: task?.handler ?? '',
      bundle: task?.bundle ?? '',
      shimAddress: task?.address ?? '',
      config: protoJson(encodeContainerConfig(config)),
      runtimeSpec: spec === undefined ? null : { ...spec, annotations: withoutRuntimeHints(spec.annotations) },
      waterfall,
    }),
  };
}
