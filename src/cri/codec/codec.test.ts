import { expect, test } from 'vitest';
import type { Container } from '../../engine/model/container.ts';
import type { Pod } from '../../engine/model/pod.ts';
import type { ContainerId, ImageId, PodId } from '../../lib/ids.ts';
import { CriContract } from '../contract.ts';
import type { AuthConfig } from '../messages/image.ts';
import type { ContainerConfig } from '../messages/container.ts';
import type { PodSandboxConfig } from '../messages/sandbox.ts';
import { decodeAuth } from './auth.ts';
import { decodeContainerConfig, encodeContainerConfig } from './container-config.ts';
import { encodeContainer, encodeContainerStatus } from './container.ts';
import { decodeContainerFilter, decodePodFilter } from './filters.ts';
import { encodeExecOutput } from './exec-output.ts';
import { encodeImage } from './image.ts';
import { protoJson } from './json.ts';
import { decodePodConfig, encodePodConfig } from './pod-config.ts';
import { encodePodStatus } from './pod.ts';
import { decodeResources, encodeResources } from './resources.ts';
import { decodeStopSignal, encodeStopSignal } from './stop-signal.ts';

const contract = new CriContract();

/** What the server would see of a message that a client sent with only these fields. */
function received<Message extends object>(name: string, fields: object): Message {
  const codec = contract.codec<object>(name);
  return codec.decode(codec.encode(fields)) as Message;
}

const podMessage = (fields: object = {}): PodSandboxConfig => received('PodSandboxConfig', { metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 2 }, ...fields });
const containerMessage = (fields: object = {}): ContainerConfig => received('ContainerConfig', { metadata: { name: 'c' }, image: { image: 'busybox' }, ...fields });

test('a pod that says only who it is gets the zeros of the contract', () => {
  const config = decodePodConfig(podMessage(), '');
  expect(config).toMatchObject({ key: 'n/p/u/2', title: 'n/p', door: { metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 2 } }, dns: undefined, cgroupParent: '', overhead: undefined, runtimeHandler: '' });
  expect(config.security).toMatchObject({ namespaces: { network: 'pod', pid: 'pod', ipc: 'pod', user: undefined }, seccomp: undefined, apparmor: undefined, runAsUser: undefined });
});

test('dns_config that is there but empty is not the same as none', () => {
  expect(decodePodConfig(podMessage({ dnsConfig: {} }), '').dns).toEqual({ servers: [], searches: [], options: [] });
});

test.each([
  [null, 'config is missing'],
  [received<PodSandboxConfig>('PodSandboxConfig', {}), 'config.metadata is missing'],
  [podMessage({ metadata: { name: 'p', uid: 'u' } }), 'config.metadata.namespace is empty'],
])('an incomplete pod is refused: %#', (message, expected) => {
  expect(() => decodePodConfig(message, '')).toThrow(expect.objectContaining({ kind: 'invalid', message: expected }));
});

test('only ports with a host port are mapped', () => {
  const ports = [
    { protocol: 1, containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' },
    { containerPort: 80, hostPort: 0 },
    { containerPort: 81, hostPort: -1 },
  ];
  expect(decodePodConfig(podMessage({ portMappings: ports }), '').portMappings).toEqual([{ protocol: 'udp', containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' }]);
});

test('a user namespace keeps its mappings in both directions', () => {
  const usernsOptions = { mode: 0, uids: [{ hostId: 100_000, containerId: 0, length: 1000 }], gids: [{ hostId: 100_000, containerId: 0, length: 1000 }] };
  const config = decodePodConfig(podMessage({ linux: { securityContext: { namespaceOptions: { network: 2, usernsOptions } } } }), '');
  expect(config.security.namespaces).toMatchObject({ network: 'node', user: { mode: 'pod', uidMappings: usernsOptions.uids } });
  const status = encodePodStatus({ id: 'x', config, state: 'ready', createdAtNs: 1n, network: undefined } as unknown as Pod);
  expect(status.linux.namespaces.options).toMatchObject({ network: 2, usernsOptions });
});

test.each([
  [{ seccomp: { profileType: 0 } }, { type: 'runtime-default', localhostRef: '' }],
  [{ seccomp: { profileType: 2, localhostRef: 'localhost//p.json' } }, { type: 'localhost', localhostRef: '/p.json' }],
  [{ seccomp: { profileType: 1 }, seccompProfilePath: 'runtime/default' }, { type: 'unconfined', localhostRef: '' }],
  [{ seccompProfilePath: 'docker/default' }, { type: 'runtime-default', localhostRef: '' }],
  [{ seccompProfilePath: 'localhost/p.json' }, { type: 'localhost', localhostRef: 'p.json' }],
  [{}, undefined],
])('seccomp of %j', (securityContext, expected) => {
  expect(decodeContainerConfig(containerMessage({ linux: { securityContext } })).security.seccomp).toEqual(expected);
});

test.each([
  [{ seccomp: { profileType: 0, localhostRef: '/p.json' } }, 'seccomp.localhost_ref is only for profile type Localhost'],
  [{ seccomp: { profileType: 7 } }, 'seccomp has the unknown value 7'],
  [{ apparmorProfile: 'odd' }, 'apparmor has the unknown profile "odd"'],
  [{ runAsUser: { value: -1 } }, 'run_as_user must be from 0 to 4294967294, not -1'],
  // The kernel takes it for no id at all, and setuid(2) with it changes nothing.
  [{ runAsUser: { value: 4294967295 } }, 'run_as_user must be from 0 to 4294967294, not 4294967295'],
  [{ runAsUser: { value: 1 }, runAsGroup: { value: 4294967296 } }, 'run_as_group must be from 0 to 4294967294, not 4294967296'],
  [{ supplementalGroups: [1, 4294967295] }, 'supplemental_groups must be from 0 to 4294967294, not 4294967295'],
  [{ supplementalGroupsPolicy: 2 }, 'supplemental_groups_policy has the unknown value 2'],
])('a security context with %j is refused', (securityContext, message) => {
  expect(() => decodeContainerConfig(containerMessage({ linux: { securityContext } }))).toThrow(expect.objectContaining({ kind: 'invalid', message }));
});

test('uid 0 is not the same as no uid', () => {
  const uidOf = (securityContext: object) => decodeContainerConfig(containerMessage({ linux: { securityContext } })).security.runAsUser;
  expect(uidOf({ runAsUser: { value: 0 } })).toBe(0);
  expect(uidOf({})).toBeUndefined();
});

test('a container without a linux part is whole', () => {
  expect(decodeContainerConfig(containerMessage())).toMatchObject({ resources: { memoryLimitBytes: undefined }, security: { privileged: false, capabilities: undefined }, stopSignal: '' });
});

test('environment values are bytes on the wire and text in the engine', () => {
  expect(decodeContainerConfig(containerMessage({ envs: [{ key: 'K', value: Buffer.from('grüße') }] })).envs).toEqual([{ key: 'K', value: 'grüße' }]);
  expect(decodeContainerConfig(containerMessage({ envs: [{ key: 'K', value: Buffer.from('\uFEFFx') }] })).envs).toEqual([{ key: 'K', value: '\uFEFFx' }]);
  expect(() => decodeContainerConfig(containerMessage({ envs: [{ key: 'K', value: Buffer.from([0xff]) }] }))).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining('K') as unknown }));
});

test('mount options are refused, since the features say that there are none', () => {
  expect(decodeContainerConfig(containerMessage({ mounts: [{ containerPath: '/x', mountOptions: ['noatime'] }] })).mounts).toMatchObject([{ mountOptions: ['noatime'] }]);
});

test('the largest limit, which the kubelet makes of anything larger, stays one that an OCI runtime can read', () => {
  const { memoryLimitBytes } = decodeResources(received('LinuxContainerResources', { memoryLimitInBytes: (2n ** 63n - 1n).toString() }));
  expect(BigInt(JSON.stringify(memoryLimitBytes))).toBeLessThan(2n ** 63n);
  expect(memoryLimitBytes).toBeGreaterThan(2 ** 62);
});

test('zero resources are left alone, and a status shows what was set, beyond 2^53 too', () => {
  expect(decodeResources(received('LinuxContainerResources', {}))).toMatchObject({ cpuShares: undefined, cpusetCpus: undefined, oomScoreAdj: undefined });
  const set = received<Parameters<typeof encodeResources>[0] & object>('LinuxContainerResources', {
    cpuPeriod: 100_000n,
    cpuQuota: -1n,
    memoryLimitInBytes: 1n << 40n,
    oomScoreAdj: -998n,
    cpusetCpus: '0-1',
    unified: { 'memory.high': '1' },
    hugepageLimits: [{ pageSize: '2MB', limit: (1n << 63n) + 1n }],
  }) as never;
  expect(encodeResources(decodeResources(set))).toEqual(set);
});

test('stop signals have the numbers of the contract', () => {
  expect([0, 1, 23, 35, 36, 50, 51, 64, 65].map(decodeStopSignal)).toEqual(['', 'SIGABRT', 'SIGTERM', 'SIGRTMIN', 'SIGRTMIN+1', 'SIGRTMIN+15', 'SIGRTMAX-14', 'SIGRTMAX-1', 'SIGRTMAX']);
  expect(['SIGTERM', 'SIGRTMIN+15', '37'].map(encodeStopSignal)).toEqual([23, 50, 0]);
  expect(() => decodeStopSignal(66)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('a filter without a state means any, and the zero state means ready', () => {
  expect(decodePodFilter(null)).toEqual({ id: '', state: undefined, labels: {} });
  expect(decodePodFilter(received('PodSandboxFilter', { labelSelector: { a: 'b' } }))).toEqual({ id: '', state: undefined, labels: { a: 'b' } });
  expect(decodePodFilter(received('PodSandboxFilter', { state: { state: 0 } })).state).toBe('ready');
  expect(decodeContainerFilter(received('ContainerFilter', { state: {} })).state).toBe('created');
});

test.each<[Partial<AuthConfig>, object | undefined]>([
  [{}, undefined],
  [{ auth: Buffer.from('user:pa:ss\0\0').toString('base64') }, { username: 'user', password: 'pa:ss' }],
  [{ auth: Buffer.from('a:b').toString('base64'), username: 'c', password: 'd' }, { username: 'c', password: 'd' }],
  [{ identityToken: 't', serverAddress: 'r.example' }, { username: '', identityToken: 't', serverAddress: 'r.example' }],
])('credentials %j', (fields, expected) => {
  const auth = decodeAuth(received('AuthConfig', fields));
  if (expected === undefined) expect(auth).toBeUndefined();
  else expect(auth).toMatchObject(expected);
});

test('malformed credentials are refused without being shown', () => {
  const auth = Buffer.from('hunter2').toString('base64');
  expect(() => decodeAuth(received('AuthConfig', { auth }))).toThrow(/^(?!.*hunter2).*base64 of "user:password"/);
});

const container = {
  id: 'c'.repeat(64) as ContainerId,
  owner: 'cri',
  place: 'given',
  runs: 0,
  podId: 'p' as PodId,
  config: decodeContainerConfig(containerMessage({ image: { image: 'sha256:1', userSpecifiedImage: 'busybox:1' }, labels: { a: 'b' }, mounts: [{ containerPath: '/c', hostPath: '/h', readonly: true, propagation: 2 }] })),
  state: 'created',
  imageId: 'sha256:1' as ImageId,
  imageRef: 'r/busybox@sha256:2',
  createdAtNs: 1_700_000_000_123_456_789n,
  startedAtNs: undefined,
  exit: undefined,
  user: { uid: 1000, gid: 0, groups: [0, 1234] },
  resources: decodeResources(null),
  stopSignal: 'SIGQUIT',
  logPath: '/l',
  task: undefined,
  restoreFrom: undefined,
  waterfall: [],
} satisfies Container;

test('a container status survives the wire to the nanosecond, with its mounts as asked', () => {
  const status = received<ReturnType<typeof encodeContainerStatus>>('ContainerStatus', encodeContainerStatus(container, () => ''));
  expect(status).toMatchObject({
    createdAt: 1_700_000_000_123_456_789n,
    startedAt: 0n,
    finishedAt: 0n,
    image: { image: 'busybox:1' },
    imageRef: 'r/busybox@sha256:2',
    imageId: 'sha256:1',
    stopSignal: 18,
    user: { linux: { uid: 1000n, gid: 0n, supplementalGroups: [0n, 1234n] } },
    mounts: [{ containerPath: '/c', hostPath: '/h', readonly: true, propagation: 2, selinuxRelabel: false, image: null }],
  });
});

test('an image volume is shown with the id of its image', () => {
  const config = decodeContainerConfig(containerMessage({ mounts: [{ containerPath: '/v', readonly: true, image: { image: 'busybox' } }] }));
  expect(encodeContainerStatus({ ...container, config }, (reference) => `id-of-${reference}`).mounts).toMatchObject([{ hostPath: '', image: { image: 'busybox', imageRef: 'id-of-busybox' } }]);
});

test.each<[Container['state'], number]>([
  ['created', 0],
  ['starting', 0],
  ['running', 1],
  ['exited', 2],
  ['removing', 2],
  ['unknown', 3],
])('a %s container is shown as %d', (state, shown) => {
  expect(encodeContainer({ ...container, state }).state).toBe(shown);
});

test.each([
  ['', { uid: null, username: '' }],
  ['1002', { uid: { value: 1002n }, username: '' }],
  ['1003:1004', { uid: { value: 1003n }, username: '' }],
  ['www-data:1004', { uid: null, username: 'www-data' }],
])('the image user "%s"', (user, expected) => {
  expect(encodeImage({ config: { user }, size: 1, repoTags: [], repoDigests: [] } as never)).toMatchObject(expected);
});

test.each([
  [10, 20, 10, 20],
  [20 << 20, 0, (16 << 20) - 64, 0],
  [20 << 20, 100, (16 << 20) - 164, 100],
  [20 << 20, 20 << 20, (8 << 20) - 32, (8 << 20) - 32],
  [100, 20 << 20, 100, (16 << 20) - 164],
])('output of %d and %d bytes is cut to %d and %d, and fits a message', (out, err, keptOut, keptErr) => {
  const reply = encodeExecOutput({ stdout: new Uint8Array(out), stderr: new Uint8Array(err), exitCode: -1 });
  expect([reply.stdout.length, reply.stderr.length]).toEqual([keptOut, keptErr]);
  expect(contract.codec('ExecSyncResponse').encode(reply).length).toBeLessThanOrEqual(16 << 20);
});

const security = {
  namespaceOptions: { network: 2, pid: 1, usernsOptions: { mode: 0, uids: [{ hostId: 100_000, length: 1000 }], gids: [] } },
  selinuxOptions: { level: 's0:c1' },
  runAsUser: { value: 0 },
  supplementalGroups: [7],
  supplementalGroupsPolicy: 1,
  privileged: true,
  seccomp: { profileType: 2, localhostRef: '/p.json' },
  apparmor: { profileType: 1 },
};
const resources = { cpuQuota: -1, memoryLimitInBytes: 1 << 20, oomScoreAdj: -5, hugepageLimits: [{ pageSize: '2MB', limit: 5 }], unified: { 'memory.high': '1' } };

test('the config of a pod can be shown as it was asked for', () => {
  const config = decodePodConfig(
    podMessage({
      hostname: 'h',
      logDirectory: '/l',
      dnsConfig: { servers: ['1.1.1.1'] },
      portMappings: [{ protocol: 1, containerPort: 53, hostPort: 5353, hostIp: '127.0.0.1' }],
      labels: { a: 'b' },
      annotations: { c: 'd' },
      linux: { cgroupParent: '/g', sysctls: { 'net.core.somaxconn': '9' }, securityContext: security, overhead: resources },
    }),
    '',
  );
  expect(decodePodConfig(encodePodConfig(config), '')).toEqual(config);
});

test('the config of a container can be shown as it was asked for', () => {
  const config = decodeContainerConfig(
    containerMessage({
      image: { image: 'busybox', userSpecifiedImage: 'box' },
      command: ['a'],
      args: ['b'],
      workingDir: '/w',
      envs: [{ key: 'K', value: Buffer.from('grüße') }],
      mounts: [{ containerPath: '/c', hostPath: '/h', propagation: 2, mountOptions: ['noexec'] }, { containerPath: '/i', readonly: true, image: { image: 'volume' }, imageSubPath: 'sub' }],
      devices: [{ containerPath: '/dev/x', hostPath: '/dev/y', permissions: 'r' }],
      labels: { a: 'b' },
      annotations: { c: 'd' },
      logPath: 'l',
      stdin: true,
      tty: true,
      CDIDevices: [{ name: 'v/c=d' }],
      stopSignal: 15,
      linux: { resources, securityContext: { ...security, runAsUsername: 'u', noNewPrivs: true, maskedPaths: ['/m'], capabilities: { addCapabilities: ['ALL'], addAmbientCapabilities: ['KILL'] } } },
    }),
  );
  expect(decodeContainerConfig(encodeContainerConfig(config))).toEqual(config);
});

test('a shown config has the names of the contract and nothing that is unset, but messages that are empty and keys of others', () => {
  const config = decodeContainerConfig(
    containerMessage({ envs: [{ key: 'K', value: Buffer.from('v') }], labels: { camelCase: '' }, CDIDevices: [{ name: 'v/c=d' }], linux: { resources: { cpuShares: 2 }, securityContext: { runAsUser: { value: 0 } } } }),
  );
  expect(protoJson(encodeContainerConfig(config))).toEqual({
    metadata: { name: 'c' },
    image: { image: 'busybox' },
    envs: [{ key: 'K', value: 'v' }],
    labels: { camelCase: '' },
    linux: { resources: { cpu_shares: 2n }, security_context: { namespace_options: {}, run_as_user: {} } },
    CDI_devices: [{ name: 'v/c=d' }],
  });
});
