import type { Pod } from '../../engine/model/pod.ts';
import { infoJson } from '../codec/json.ts';
import type { StringMap } from '../messages/common.ts';

/** What `crictl inspectp` prints under `info`. */
export function podInfo(pod: Pod): StringMap {
  return {
    info: infoJson({
      pid: pod.pausePid,
      runtimeHandler: pod.config.runtimeHandler,
      networkHeld: pod.networkHeld,
      config: pod.config,
      cniResult: pod.network === undefined ? null : JSON.parse(pod.network.raw),
      waterfall: pod.waterfall,
    }),
  };
}
