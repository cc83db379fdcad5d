import type { CniPortMapping } from '../../cni/port.ts';
import type { PodConfig } from '../../engine/model/pod.ts';
import { protocols, type PodSandboxConfig, type PortMapping } from '../messages/sandbox.ts';
import { networkHints } from './network-hints.ts';
import { nonEmpty, pick, required } from './pick.ts';
import { identityOf, metadataOf } from './pod-metadata.ts';
import { decodeOptionalResources, encodeOptionalResources } from './resources.ts';
import { decodeSandboxSecurity, encodeSandboxSecurity } from './security.ts';

function decodePort(mapping: PortMapping): CniPortMapping {
  return { hostPort: mapping.hostPort, containerPort: mapping.containerPort, protocol: pick(protocols, mapping.protocol, 'port_mappings.protocol'), hostIp: mapping.hostIp };
}

/** Fails `invalid` when the pod's identity is incomplete, since clients refuse a status without it. */
export function decodePodConfig(message: PodSandboxConfig | null, runtimeHandler: string): PodConfig {
  const config = required(message, 'config');
  const metadata = required(config.metadata, 'config.metadata');
  for (const field of ['name', 'namespace', 'uid'] as const) nonEmpty(metadata[field], `config.metadata.${field}`);
  return {
    ...identityOf(metadata),
    hostname: config.hostname,
    logDirectory: config.logDirectory,
    dns: config.dnsConfig ?? undefined,
    networkHints: networkHints(metadata, config.annotations),
    // A port without a host port is only told, not mapped.
    portMappings: config.portMappings.filter((mapping) => mapping.hostPort > 0).map(decodePort),
    labels: config.labels,
    annotations: config.annotations,
    cgroupParent: config.linux?.cgroupParent ?? '',
    sysctls: config.linux?.sysctls ?? {},
    security: decodeSandboxSecurity(config.linux?.securityContext ?? null),
    overhead: decodeOptionalResources(config.linux?.overhead ?? null),
    resources: decodeOptionalResources(config.linux?.resources ?? null),
    runtimeHandler,
  };
}

/** What was asked for, without the ports that are only told. */
export function encodePodConfig(config: PodConfig): PodSandboxConfig {
  const { hostname, logDirectory, dns, labels, annotations, cgroupParent, sysctls } = config;
  return {
    metadata: metadataOf(config),
    hostname,
    logDirectory,
    dnsConfig: dns ?? null,
    portMappings: config.portMappings.map(({ protocol, ...ports }) => ({ ...ports, protocol: protocols.indexOf(protocol) })),
    labels,
    annotations,
    linux: {
      cgroupParent,
      securityContext: encodeSandboxSecurity(config.security),
      sysctls,
      overhead: encodeOptionalResources(config.overhead),
      resources: encodeOptionalResources(config.resources),
    },
  };
}
