import type { EngineStatus } from '../../engine/port.ts';
import { infoJson } from '../codec/json.ts';
import type { Door } from '../handler.ts';
import type { StringMap } from '../messages/common.ts';

/** What `crictl info` prints. Clients look for `config.stateDir`: below it container filesystems are mounted. */
export function statusInfo({ config, version }: Door, { network, kernel }: EngineStatus): StringMap {
  return {
    config: infoJson({ ...config, stateDir: config.stateRoot, rootDir: config.stateRoot }),
    cniconfig: network.configJson ?? '{}',
    lastCNILoadStatus: network.ready ? 'OK' : network.reason,
    kernel: `Linux ${kernel.release}; ${kernel.oldest} or newer is needed`,
    node: process.version,
    berth: version,
  };
}
