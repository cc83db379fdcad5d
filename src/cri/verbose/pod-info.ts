import type { Pod, PodEnvironment } from '../../engine/model/pod.ts';
import { infoJson, protoJson } from '../codec/json.ts';
import { encodePodConfig } from '../codec/pod-config.ts';
import type { StringMap } from '../messages/common.ts';

/** What `crictl inspectp` prints under `info`. `pid` is 0 where the pod has no process of its own. */
export function podInfo(pod: Pod, environment: PodEnvironment): StringMap {
  return {
    info: infoJson({
      pid: pod.pausePid,
      runtimeHandler: pod.config.runtimeHandler,
      networkHeld: pod.networkHeld,
      config: protoJson(encodePodConfig(pod.config)),
      runtimeSpec: runtimeSpec(environment),
      cniResult: pod.network === undefined ? null : JSON.parse(pod.network.raw),
      waterfall: pod.waterfall,
    }),
  };
}

/** No OCI runtime is run for a pod: this is what would be true in its spec. Tools look there for the namespaces' paths. */
function runtimeSpec({ namespaces, hostname, cgroup, sysctls }: PodEnvironment): object {
  return { hostname, linux: { namespaces, cgroupsPath: cgroup, sysctl: sysctls } };
}
