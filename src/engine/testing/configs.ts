import type { ContainerConfig } from '../model/container.ts';
import type { PodConfig } from '../model/pod.ts';
import type { LinuxResources } from '../model/resources.ts';
import type { NamespaceOptions, SecurityContext } from '../model/security.ts';

export const noResources: LinuxResources = {
  cpuPeriod: undefined,
  cpuQuota: undefined,
  cpuShares: undefined,
  cpusetCpus: undefined,
  cpusetMems: undefined,
  memoryLimitBytes: undefined,
  memorySwapLimitBytes: undefined,
  oomScoreAdj: undefined,
  hugepageLimits: [],
  unified: {},
};

/** As clients ask by default. */
export const kubeNamespaces: NamespaceOptions = { network: 'pod', pid: 'container', ipc: 'pod', targetId: '', user: undefined };

export function security(change: Partial<SecurityContext> = {}): SecurityContext {
  return {
    namespaces: kubeNamespaces,
    privileged: false,
    readonlyRootfs: false,
    noNewPrivileges: false,
    runAsUser: undefined,
    runAsUsername: '',
    runAsGroup: undefined,
    supplementalGroups: [],
    supplementalGroupsPolicy: 'merge',
    capabilities: undefined,
    seccomp: undefined,
    apparmor: undefined,
    selinux: undefined,
    maskedPaths: [],
    readonlyPaths: [],
    ...change,
  };
}

export function podConfig(name: string, change: Partial<PodConfig> = {}): PodConfig {
  return {
    owner: 'cri',
    key: name,
    title: name,
    plugins: { name, namespace: 'default', uid: `uid-${name}` },
    door: { of: name },
    hostname: change.security?.namespaces.network === 'node' ? '' : name,
    logDirectory: '',
    dns: undefined,
    networkHints: { args: { NAME: name }, idArg: 'ID', annotationsAs: 'annotations', capabilities: {} },
    portMappings: [],
    labels: { app: name },
    annotations: {},
    cgroupParent: '',
    sysctls: {},
    security: security(),
    overhead: undefined,
    resources: undefined,
    runtimeHandler: '',
    ...change,
  };
}

export function containerConfig(name: string, change: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    name,
    attempt: 0,
    image: 'registry.test/app:1',
    userSpecifiedImage: '',
    command: [],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    cdiDevices: [],
    labels: { role: name },
    annotations: {},
    logPath: '',
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: noResources,
    security: security(),
    stopSignal: '',
    ...change,
  };
}
