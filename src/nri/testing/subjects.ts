import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import type { AdjustmentMessage, LinuxAdjustmentMessage, ResourcesMessage } from '../messages.ts';
import type { NriContainer, NriPod } from '../port.ts';
import { noResources } from '../resources.ts';

/** A spec with a little of everything. */
export const spec: OciSpec = {
  ociVersion: '1.0.2',
  process: {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    args: ['sh'],
    env: ['PATH=/bin', 'A=1', 'EMPTY='],
    cwd: '/',
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    noNewPrivileges: true,
    oomScoreAdj: 100,
  },
  root: { path: 'rootfs', readonly: false },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: [] }, { destination: '/data', type: 'bind', source: '/d', options: ['rbind'] }],
  annotations: { here: 'before' },
  linux: {
    namespaces: [{ type: 'pid' }, { type: 'network', path: '/run/net' }],
    cgroupsPath: '/pods/c',
    resources: { memory: { limit: 1000, swap: 1000 }, cpu: { shares: 2, cpus: '0' }, devices: [{ allow: false, access: 'rwm' }] },
    devices: [{ path: '/dev/old', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
    maskedPaths: [],
    readonlyPaths: [],
    sysctl: { 'net.a': '1' },
  },
};

export const pod: NriPod = {
  id: 'p1', name: 'web', namespace: 'default', uid: 'u', labels: {}, annotations: {}, runtimeHandler: 'crun', cgroupParent: '/pods', ips: ['10.0.0.2'], pid: 0, namespaces: [], overhead: undefined, resources: undefined,
};

export const container: NriContainer = {
  id: 'c1', podId: 'p1', name: 'main', state: 'created', labels: {}, annotations: { mine: 'yes' }, pid: 0, createdAtNs: 5n, startedAtNs: 0n, exit: undefined, image: { name: 'busybox', digest: '', configDigest: 'sha256:0' }, seccomp: undefined, spec,
};

const linux: LinuxAdjustmentMessage = {
  devices: [], resources: null, cgroupsPath: '', oomScoreAdj: null, ioPriority: null, seccompPolicy: null, namespaces: [], sysctl: {}, netDevices: {}, scheduler: null, rdt: null, memoryPolicy: null,
};

/** An adjustment as it is decoded, which says nothing but what is given. */
export function wish(change: Partial<Omit<AdjustmentMessage, 'linux'>> & { readonly linux?: Partial<LinuxAdjustmentMessage> } = {}): AdjustmentMessage {
  return { annotations: {}, mounts: [], env: [], hooks: null, rlimits: [], CDIDevices: [], args: [], ...change, linux: change.linux === undefined ? null : { ...linux, ...change.linux } };
}

export function resources(change: Partial<ResourcesMessage>): ResourcesMessage {
  return { ...noResources, ...change };
}
