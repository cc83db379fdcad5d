import { loadNow } from './machine.ts';
import { measureConcurrent, type ConcurrentResult } from './measure-concurrent.ts';
import { measureExec } from './measure-exec.ts';
import { measureMemory, type MemoryResult } from './measure-memory.ts';
import { measureSerial, type SerialResult } from './measure-serial.ts';
import { measureStream, type StreamResult } from './measure-stream.ts';
import type { BenchOptions } from './options.ts';
import { median } from './statistics.ts';
import type { Subject } from './subject.ts';

/** One subject in one round. */
export interface RoundResult {
  readonly subject: string;
  readonly round: number;
  readonly load: number;
  readonly serial: SerialResult;
  readonly concurrent: ConcurrentResult | undefined;
  readonly execs: readonly number[];
  readonly stream: StreamResult | undefined;
}

export interface BenchResult {
  readonly rounds: readonly RoundResult[];
  readonly memory: Readonly<Record<string, MemoryResult>>;
}

/** The subjects from another one on each time, so that none is always first or always follows the same. */
function rotated(subjects: readonly Subject[], by: number): readonly Subject[] {
  const cut = by % Math.max(1, subjects.length);
  return [...subjects.slice(cut), ...subjects.slice(0, cut)];
}

async function runRound(subject: Subject, round: number, options: BenchOptions): Promise<RoundResult> {
  const load = loadNow();
  const serial = await measureSerial(subject, options.pods);
  const execs = options.execs > 0 ? await measureExec(subject, options.execs) : [];
  const stream = options.streamMib > 0 ? await measureStream(subject, options.streamMib) : undefined;
  const concurrent = options.concurrency > 0 ? await measureConcurrent(subject, options.concurrency) : undefined;
  return { subject: subject.name, round, load, serial, concurrent, execs, stream };
}

/** Measures every subject in every round, interleaved, then memory once for each. */
export async function runRounds(subjects: readonly Subject[], options: BenchOptions, print: (line: string) => void): Promise<BenchResult> {
  const rounds: RoundResult[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const subject of rotated(subjects, round)) {
      const result = await runRound(subject, round, options);
      rounds.push(result);
      print(`round ${round + 1}/${options.rounds} ${subject.name}: pod start p50 ${median(result.serial.starts.map(({ total }) => total)).toFixed(1)} ms, exec p50 ${median(result.execs).toFixed(1)} ms, load ${result.load.toFixed(1)}`);
    }
  }
  const memory: Record<string, MemoryResult> = {};
  for (const subject of options.memoryPods > 0 ? subjects : []) memory[subject.name] = await measureMemory(subject, options.memoryPods);
  return { rounds, memory };
}
