/** Errors that a kubelet logs on such a node whatever the runtime does, each with the reason why it is not the runtime's. */
const environment: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /Failed to set rlimit on max file handles/, why: 'the machine has no CAP_SYS_RESOURCE' },
  { pattern: /Failed to ensure process in container with oom score/, why: 'the same' },
  { pattern: /nodeIP can't be loopback address/, why: 'the node is only this machine' },
  { pattern: /Skipping pod synchronization.*(?:PLEG is not healthy: pleg has yet to be successful|container runtime status check may not have completed yet)/, why: 'the first second of every kubelet' },
  { pattern: /invalid capacity 0 on image filesystem/, why: 'the first collection of images comes before the first statistics' },
  { pattern: /checkpoint is not found.*kubelet_internal_checkpoint/, why: 'a new kubelet has no checkpoint of devices' },
  { pattern: /no imagefs label for configured runtime/, why: 'the kubelet knows the labels of two runtimes by their sockets\' paths' },
  { pattern: /failed to check if node is newer/, why: 'there is no API server that would version the node' },
  { pattern: /with CrashLoopBackOff/, why: 'the suite runs a pod that crashes' },
  { pattern: /"ExecSync cmd from runtime service failed".*(?:exited|not running|NotFound|FailedPrecondition)/i, why: 'a probe met the end of its container' },
  { pattern: /podSandboxID=""$/, why: 'the kubelet asks for a pod without a name to find out whether the call exists' },
  { pattern: /"(?:ContainerStatus|PodSandboxStatus) from runtime service failed".*code = NotFound/, why: 'the kubelet asks again for what it has just removed' },
];

/** When the runtime's daemon was down on purpose, in milliseconds since the epoch. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** The time of a klog line, whose year is not written. */
function timeOf(line: string): number {
  const [, month = '1', day = '1', hour = '0', minute = '0', second = '0', micros = '0'] = /^.(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})/.exec(line) ?? [];
  const now = new Date();
  return new Date(now.getFullYear(), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), Number(micros) / 1000).getTime();
}

/** How long gRPC may go on failing calls at once before it dials again, in milliseconds. */
const redialMs = 5000;

function causedBy({ from, to }: Outage, line: string): boolean {
  const time = timeOf(line);
  return time >= from && (time <= to || (time <= to + redialMs && line.includes('connection refused')));
}

/** The error lines of a kubelet's log that are neither the environment's nor those of a daemon that was down on purpose. */
export function runtimeErrors(log: string, outages: readonly Outage[]): readonly string[] {
  const errors = log.split('\n').filter((line) => /^[EF]\d{4} /.test(line));
  const duringOutage = (line: string): boolean => outages.some((outage) => causedBy(outage, line));
  return errors.filter((line) => !environment.some(({ pattern }) => pattern.test(line)) && !duringOutage(line));
}
