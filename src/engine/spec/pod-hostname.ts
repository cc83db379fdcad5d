import { hostname } from 'node:os';
import type { PodConfig } from '../model/pod.ts';

/** The name that the pod's processes see: the node's where the request has none. */
export function podHostname(config: Pick<PodConfig, 'hostname'>): string {
  return config.hostname === '' ? hostname() : config.hostname;
}
