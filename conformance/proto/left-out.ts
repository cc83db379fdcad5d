/** Fields of the contracts that berth neither reads nor writes, by message: as many as there are, and no more. */
type LeftOut = Readonly<Record<string, string>>;

export const leftOutOfNri: LeftOut = {
  'nri.pkg.api.v1alpha1.Container': 'CDIDevices',
};

/** Windows; what the kubelet is better without; what a status repeats. */
export const leftOutOfCri: LeftOut = {
  'runtime.v1.ContainerConfig': 'windows',
  'runtime.v1.ContainerResources': 'windows',
  'runtime.v1.Image': 'spec',
  'runtime.v1.PodSandboxConfig': 'windows',
  'runtime.v1.PodSandboxStats': 'windows',
  'runtime.v1.PodSandboxStatusResponse': 'containersStatuses timestamp',
  'runtime.v1.UpdateContainerResourcesRequest': 'annotations windows',
};

const leftOutOfTask = (version: string): LeftOut => ({
  [`containerd.task.${version}.CreateTaskRequest`]: 'parentCheckpoint',
  [`containerd.task.${version}.DeleteResponse`]: 'pid',
  [`containerd.task.${version}.StateResponse`]: 'bundle execId id stderr stdin stdout terminal',
  [`containerd.task.${version}.UpdateTaskRequest`]: 'annotations',
});

/** Kept for debugging, for other runtimes, or for numbers that nobody asks berth for. */
export const leftOutOfShims: LeftOut = {
  'containerd.runc.v1.CheckpointOptions': 'cgroupsMode emptyNamespaces exit externalUnixSockets imagePath parentPath terminal workPath',
  'containerd.runc.v1.Options': 'criuImagePath criuWorkPath ioGid ioUid noNewKeyring noPivotRoot shimCgroup taskApiAddress taskApiVersion',
  'containerd.runtime.bootstrap.v1.BootstrapParams': 'containerdBinary containerdGrpcAddress extensions logLevel',
  'containerd.runtime.bootstrap.v1.BootstrapResult': 'capabilities metadata',
  ...leftOutOfTask('v2'),
  ...leftOutOfTask('v3'),
  'containerd.types.Envelope': 'namespace timestamp',
  'containerd.types.Mount': 'target',
  'io.containerd.cgroups.v1.BlkIOEntry': 'device',
  'io.containerd.cgroups.v1.BlkIOStat': 'ioMergedRecursive ioQueuedRecursive ioServiceTimeRecursive ioTimeRecursive ioWaitTimeRecursive sectorsRecursive',
  'io.containerd.cgroups.v1.CPUUsage': 'perCpu',
  'io.containerd.cgroups.v1.HugetlbStat': 'failcnt',
  'io.containerd.cgroups.v1.MemoryOomControl': 'oomKillDisable underOom',
  'io.containerd.cgroups.v1.MemoryStat':
    'activeAnon activeFile cache dirty hierarchicalMemoryLimit hierarchicalSwapLimit inactiveAnon inactiveFile kernelTcp mappedFile pgPgIn pgPgOut rss rssHuge ' +
    'totalActiveAnon totalActiveFile totalDirty totalInactiveAnon totalPgPgIn totalPgPgOut totalRssHuge totalUnevictable totalWriteback unevictable writeback',
  'io.containerd.cgroups.v1.Metrics': 'cgroupStats network rdma',
  'io.containerd.cgroups.v2.CPUStat': 'burstUsec nrBursts',
  'io.containerd.cgroups.v2.HugeTlbStat': 'failcnt max',
  'io.containerd.cgroups.v2.MemoryEvents': 'high low oom oomGroupKill',
  'io.containerd.cgroups.v2.MemoryStat':
    'activeAnon activeFile anonThp fileDirty fileWriteback inactiveAnon pgactivate pgdeactivate pglazyfree pglazyfreed pgrefill pgscan pgsteal shmem slabReclaimable ' +
    'slabUnreclaimable sock swapMaxUsage thpCollapseAlloc thpFaultAlloc unevictable workingsetActivate workingsetNodereclaim workingsetRefault',
  'io.containerd.cgroups.v2.Metrics': 'network rdma',
};
