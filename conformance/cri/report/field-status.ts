/** What berth does with a field that it does not simply honour. */
export type FieldStatus =
  | { readonly is: 'ignored'; readonly why: string }
  /** gRPC code that a request with the field gets. */
  | { readonly is: 'refused'; readonly code: string; readonly why: string }
  /** Done, but not shown by the suites here. */
  | { readonly is: 'unshown'; readonly why: string };

const ignored = (why: string): FieldStatus => ({ is: 'ignored', why });

const windows = ignored('berth runs on Linux');
const selinux: FieldStatus = { is: 'unshown', why: 'followed where the node has SELinux; elsewhere only the level is checked, as charts ask for types on every node' };

const criu = 'shown where CRIU is installed and knows the kernel; elsewhere its refusal is';

/** Calls that the suites cannot be sure to see answered, and why. */
export const unshownCalls: Readonly<Record<string, string>> = { CheckpointContainer: criu, CheckpointPod: criu, RestorePod: criu };

const sandboxOnly = ignored('a pod has no process of its own that it would hold for');
const psi: FieldStatus = { is: 'unshown', why: 'the kernel tells pressure by cgroups of version 2 alone' };

const oneMapping = 'the mapping of a user namespace begins at 0';

const byCriu: FieldStatus = { is: 'unshown', why: criu };

/** Fields of requests, and whole messages, that are not simply honoured. Everything else is, and a test must have used it. */
export const requestFields: Readonly<Record<string, FieldStatus>> = {
  'PodSandboxConfig.windows': windows,
  'ContainerConfig.windows': windows,
  'UpdateContainerResourcesRequest.windows': windows,
  SELinuxOption: selinux,
  'LinuxContainerSecurityContext.selinux_options': selinux,
  'LinuxSandboxSecurityContext.selinux_options': selinux,
  'Mount.selinux_relabel': selinux,
  'IDMapping.container_id': { is: 'refused', code: 'INVALID_ARGUMENT', why: oneMapping },
  'LinuxContainerResources.unified': { is: 'refused', code: 'FAILED_PRECONDITION', why: 'for cgroup version 2 alone' },
  // No process of a pod runs under these; each container brings its own.
  'LinuxSandboxSecurityContext.apparmor': sandboxOnly,
  'LinuxSandboxSecurityContext.readonly_rootfs': sandboxOnly,
  'LinuxSandboxSecurityContext.run_as_group': sandboxOnly,
  'LinuxSandboxSecurityContext.run_as_user': sandboxOnly,
  'LinuxSandboxSecurityContext.seccomp_profile_path': sandboxOnly,
  'LinuxSandboxSecurityContext.supplemental_groups': sandboxOnly,
  'LinuxSandboxSecurityContext.supplemental_groups_policy': sandboxOnly,
  'ImageSpec.annotations': ignored('an image is what its reference says'),
  'ImageSpec.image_ref': ignored('clients use it among themselves'),
  'PortForwardRequest.port': ignored('the client names its ports when it connects'),
  'UpdateContainerResourcesRequest.annotations': ignored('an update changes resources alone'),
  HugepageLimit: { is: 'unshown', why: 'needs the hugetlb controller, which the machine of the tests lacks' },
  CheckpointContainerRequest: byCriu,
  CheckpointPodRequest: byCriu,
  'CheckpointPodRequest.options': { is: 'refused', code: 'INVALID_ARGUMENT', why: 'no option is known' },
  RestorePodRequest: byCriu,
  'RestorePodRequest.options': { is: 'refused', code: 'INVALID_ARGUMENT', why: 'no option is known' },
  'VersionRequest.version': ignored('there is one version of the API'),
};

/** Fields of replies that berth leaves empty, or that the suites here cannot show. Everything else a test must have seen. */
export const replyFields: Readonly<Record<string, FieldStatus>> = {
  'ContainerResources.windows': windows,
  'PodSandboxStats.windows': windows,
  'PodSandboxStatusResponse.containers_statuses': ignored('events carry them; a status that is asked for need not'),
  'PodSandboxStatusResponse.timestamp': ignored('without statuses of containers it would tell the kubelet that there are none'),
  'Mount.selinux_relabel': selinux,
  'IDMapping.container_id': ignored(oneMapping),
  'Image.spec': ignored('an image is the same for every runtime handler'),
  'ImageSpec.annotations': ignored('an image is what its reference says'),
  'ImageSpec.runtime_handler': ignored('an image is the same for every runtime handler'),
  'Metric.timestamp': ignored('a metric is read when it is asked for, and zero says so'),
  'NamespaceOption.target_id': ignored('a pod has no target; containers have, and no status of theirs carries it'),
  'LinuxContainerResources.unified': { is: 'unshown', why: 'for cgroup version 2 alone' },
  HugepageLimit: { is: 'unshown', why: 'needs the hugetlb controller, which the machine of the tests lacks' },
  PodIP: { is: 'unshown', why: 'needs a network of two address families' },
  'PodSandboxNetworkStatus.additional_ips': { is: 'unshown', why: 'needs a network of two address families' },
  'CpuUsage.psi': psi,
  'MemoryUsage.psi': psi,
  'IoUsage.psi': psi,
  PsiStats: psi,
  PsiData: psi,
  RestorePodResponse: byCriu,
  RestoredContainer: byCriu,
};

/** The entry for a field, or for the message that it belongs to. */
export function statusOf(table: Readonly<Record<string, FieldStatus>>, field: string): FieldStatus | undefined {
  return table[field] ?? table[field.slice(0, field.indexOf('.'))];
}
