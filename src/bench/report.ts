import type { Transport } from '../../conformance/streaming/streaming-client.ts';
import type { Machine } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { summariseWaterfalls, type PhaseSummary } from './read-waterfalls.ts';
import type { BenchResult, RoundResult } from './run-rounds.ts';
import { median, summarise, type Summary } from './statistics.ts';
import type { MemoryResult } from './measure-memory.ts';
import type { StreamResult } from './measure-stream.ts';

/** One subject's numbers over all rounds. Milliseconds. */
export interface SubjectReport {
  readonly name: string;
  readonly start: Summary;
  readonly run: Summary;
  readonly create: Summary;
  readonly startContainer: Summary;
  readonly remove: Summary;
  readonly exec: Summary;
  readonly concurrent: Summary;
  /** Medians over the rounds. */
  readonly startsPerSecond: number;
  readonly removesPerSecond: number;
  /** MB/s. */
  readonly stream: StreamResult;
  readonly memory: MemoryResult | undefined;
  readonly waterfall: readonly PhaseSummary[];
}

/** How many times faster one subject is than another: medians of the ratios of each round. */
export interface RatioReport {
  readonly faster: string;
  readonly slower: string;
  readonly start: number;
  readonly exec: number;
  readonly stream: StreamResult;
  readonly remove: number;
  readonly startsPerSecond: number;
  readonly memory: number;
}

export interface Report {
  readonly machine: Machine;
  readonly options: BenchOptions;
  readonly load: { readonly min: number; readonly max: number };
  readonly subjects: readonly SubjectReport[];
  readonly ratios: readonly RatioReport[];
}

/** What is set against what: like with like, and the defaults of both. */
const comparisons = [
  ['berth+crun', 'containerd+runc'],
  ['berth+crun', 'containerd+crun'],
  ['berth+runc', 'containerd+runc'],
  ['berth+crun', 'berth+runc'],
  ['containerd+crun', 'containerd+runc'],
] as const;

const eachTransport = (rate: (transport: Transport) => number): StreamResult => ({ spdy: rate('spdy'), websocket: rate('websocket') });

function subjectReport(name: string, rounds: readonly RoundResult[], memory: MemoryResult | undefined): SubjectReport {
  const starts = rounds.flatMap(({ serial }) => serial.starts);
  const concurrent = rounds.flatMap((round) => round.concurrent ?? []);
  return {
    name,
    start: summarise(starts.map(({ total }) => total)),
    run: summarise(starts.map(({ run }) => run)),
    create: summarise(starts.map(({ create }) => create)),
    startContainer: summarise(starts.map(({ start }) => start)),
    remove: summarise(rounds.flatMap(({ serial }) => serial.removes)),
    exec: summarise(rounds.flatMap(({ execs }) => execs)),
    concurrent: summarise(concurrent.flatMap(({ totals }) => totals)),
    startsPerSecond: median(concurrent.map((result) => result.startsPerSecond)),
    removesPerSecond: median(concurrent.map((result) => result.removesPerSecond)),
    stream: eachTransport((transport) => median(rounds.flatMap(({ stream }) => stream?.[transport] ?? []))),
    memory,
    waterfall: summariseWaterfalls(rounds.flatMap(({ serial }) => serial.waterfalls)),
  };
}

function ratioReport([faster, slower]: readonly [string, string], { rounds, memory }: BenchResult): RatioReport {
  const of = (name: string): readonly RoundResult[] => rounds.filter(({ subject }) => subject === name);
  const ratio = (value: (round: RoundResult) => number): number =>
    median(of(faster).flatMap((mine) => of(slower).filter(({ round }) => round === mine.round).map((theirs) => value(theirs) / value(mine))));
  return {
    faster,
    slower,
    start: ratio(({ serial }) => median(serial.starts.map(({ total }) => total))),
    exec: ratio(({ execs }) => median(execs)),
    stream: eachTransport((transport) => ratio(({ stream }) => 1 / (stream?.[transport] ?? Number.NaN))),
    remove: ratio(({ serial }) => median(serial.removes)),
    startsPerSecond: ratio(({ concurrent }) => 1 / (concurrent?.startsPerSecond ?? Number.NaN)),
    memory: (memory[slower]?.perPod ?? Number.NaN) / (memory[faster]?.perPod ?? Number.NaN),
  };
}

/** Puts all that was measured into one report. */
export function makeReport(result: BenchResult, machine: Machine, options: BenchOptions): Report {
  const names = [...new Set(result.rounds.map(({ subject }) => subject))].toSorted();
  const loads = result.rounds.map(({ load }) => load);
  return {
    machine,
    options,
    load: { min: Math.min(...loads), max: Math.max(...loads) },
    subjects: names.map((name) => subjectReport(name, result.rounds.filter(({ subject }) => subject === name), result.memory[name])),
    ratios: comparisons.filter(([faster, slower]) => names.includes(faster) && names.includes(slower)).map((pair) => ratioReport(pair, result)),
  };
}
