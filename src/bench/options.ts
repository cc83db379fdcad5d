import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** What to measure, and how often. */
export interface BenchOptions {
  /** Every subject is measured once in each round, so that drift of the machine hits all alike. */
  readonly rounds: number;
  /** Pods started one after another, per subject and round. */
  readonly pods: number;
  /** Pods started at once, per subject and round; 0 leaves that out. */
  readonly concurrency: number;
  /** Calls of ExecSync, per subject and round. */
  readonly execs: number;
  /** MiB of an exec's stdout, per transport, subject and round; 0 leaves that out. */
  readonly streamMib: number;
  /** Pods that run while memory is read. */
  readonly memoryPods: number;
  /** Names of subjects; empty for all. */
  readonly only: readonly string[];
  /** Where report.md and report.json go. */
  readonly out: string;
}

const usage = `usage: node src/bench/main.ts [--rounds 6] [--pods 10] [--concurrency 10] [--execs 20] [--stream-mib 256]
       [--memory-pods 10] [--only berth+crun,berth+runc,containerd+runc,containerd+crun] [--out build/bench]`;

function count(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} must be a whole number, not ${text}\n${usage}`);
  return value;
}

/** @throws Error with the usage when the arguments make no sense. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '6' },
      pods: { type: 'string', default: '10' },
      concurrency: { type: 'string', default: '10' },
      execs: { type: 'string', default: '20' },
      'stream-mib': { type: 'string', default: '256' },
      'memory-pods': { type: 'string', default: '10' },
      only: { type: 'string', default: '' },
      out: { type: 'string', default: join(import.meta.dirname, '../../build/bench') },
    },
  });
  return {
    rounds: Math.max(1, count(values.rounds, 'rounds')),
    pods: Math.max(1, count(values.pods, 'pods')),
    concurrency: count(values.concurrency, 'concurrency'),
    execs: count(values.execs, 'execs'),
    streamMib: count(values['stream-mib'], 'stream-mib'),
    memoryPods: count(values['memory-pods'], 'memory-pods'),
    only: values.only.split(',').filter(Boolean),
    out: values.out,
  };
}
