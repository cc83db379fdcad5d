import type { Machine } from './machine.ts';
import type { Report, SubjectReport } from './report.ts';
import type { Summary } from './statistics.ts';

const number = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(1));
const times = (value: number): string => (Number.isNaN(value) ? '–' : `${value.toFixed(1)}×`);
const mib = (value: number | undefined): string => (value === undefined ? '–' : (value / (1 << 20)).toFixed(2));

/** The first `words` columns hold words, the others numbers. */
function table(header: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map((_, index) => (index < words ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function latencies(title: string, subjects: readonly SubjectReport[], pick: (subject: SubjectReport) => Summary): string {
  const rows = subjects.map((subject) => {
    const { min, p50, p90, p99, count } = pick(subject);
    return [subject.name, number(min), number(p50), number(p90), number(p99), String(count)];
  });
  return `${title}\n\n${table(['ms', 'min', 'p50', 'p90', 'p99', 'n'], rows)}`;
}

function machineLines({ kernel, processors, model, rcuExpedited, cgroup, versions }: Machine): string {
  const list = Object.entries(versions).map(([name, version]) => `${name}: ${version}`);
  return [`Linux ${kernel}, ${processors} × ${model}, cgroup ${cgroup}, rcu_expedited ${rcuExpedited}`, ...list].map((line) => `- ${line}`).join('\n');
}

function ratios(report: Report): string {
  const rows = report.ratios.map((ratio) => [`${ratio.faster} over ${ratio.slower}`, times(ratio.start), times(ratio.startsPerSecond), times(ratio.exec), times(ratio.stream.spdy), times(ratio.stream.websocket), times(ratio.remove), times(ratio.memory)]);
  return table(['', 'pod start', 'starts at once', 'exec', 'stdout over SPDY', 'over WebSocket', 'stop and remove', 'memory'], rows);
}

function phases(subjects: readonly SubjectReport[]): string {
  const rows = subjects.map(({ name, run, create, startContainer }) => [name, number(run.p50), number(create.p50), number(startContainer.p50)]);
  return table(['p50 ms', 'RunPodSandbox', 'CreateContainer', 'StartContainer'], rows);
}

function memory(subjects: readonly SubjectReport[]): string {
  const rows = subjects.map(({ name, memory: cost }) => [name, mib(cost?.perPod), mib(cost === undefined ? undefined : cost.processes / cost.pods), String((cost?.processCount ?? 0) / (cost?.pods ?? 1)), mib(cost?.daemonBefore), mib(cost?.daemonAfter)]);
  return table(['MiB of PSS', 'a pod costs', 'of it processes', 'processes a pod', 'daemon, no pod', 'daemon, with pods'], rows);
}

function streams(subjects: readonly SubjectReport[]): string {
  return table(['MB/s', 'SPDY', 'WebSocket'], subjects.map(({ name, stream }) => [name, number(stream.spdy), number(stream.websocket)]));
}

function waterfalls(subjects: readonly SubjectReport[]): string {
  const rows = subjects.flatMap(({ name, waterfall }) => waterfall.map((phase) => [name, phase.kind, phase.name, number(phase.startMs), number(phase.durationMs)]));
  return rows.length === 0 ? 'No subject with a waterfall was measured.' : table(['', 'of', 'phase', 'begins at ms', 'takes ms'], rows, 3);
}

/** The report for people. */
export function renderReport(report: Report): string {
  const { subjects, options } = report;
  const sections = [
    '# Benchmark',
    `${machineLines(report.machine)}\n- load while measuring: ${report.load.min.toFixed(1)} to ${report.load.max.toFixed(1)}\n- ${options.rounds} rounds, subjects interleaved; in each ${options.pods} pods one after another, ${options.concurrency} at once, ${options.execs} execs, ${options.streamMib} MiB of stdout over each transport`,
    'The same image (present), RuntimeDefault seccomp, masked paths, CNI plugins and network configuration for all. Times are the client\'s. containerd writes ociVersion 1.3.0, which crun before 1.20 refuses, so containerd+crun runs crun through a static C wrapper that lowers the version in the bundle and executes crun.',
    `## How many times faster (medians of each round's ratio)\n\n${ratios(report)}`,
    latencies('## Pod start: RunPodSandbox, CreateContainer, StartContainer', subjects, ({ start }) => start),
    phases(subjects),
    `${latencies(`## Pod start, ${options.concurrency} at once`, subjects, ({ concurrent }) => concurrent)}\n\n${table(['per second', 'starts', 'removes'], subjects.map(({ name, startsPerSecond, removesPerSecond }) => [name, number(startsPerSecond), number(removesPerSecond)]))}`,
    latencies('## Pod stop and remove', subjects, ({ remove }) => remove),
    latencies('## ExecSync of `true`', subjects, ({ exec }) => exec),
    `## Stdout of an exec, as kubectl's client receives it (medians)\n\n${streams(subjects)}`,
    `## Memory with ${options.memoryPods} pods\n\n${memory(subjects)}`,
    `## Where berth's starts spend their time (medians)\n\n${waterfalls(subjects)}`,
  ];
  return `${sections.join('\n\n')}\n`;
}
