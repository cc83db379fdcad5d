import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { median } from './statistics.ts';
import type { StartedPod, Subject } from './subject.ts';

/** One phase of a start, in milliseconds since it began. */
interface Phase {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Where one operation's time went, as the daemon itself says. */
export interface Waterfall {
  readonly kind: string;
  readonly id: string;
  readonly phases: readonly Phase[];
}

async function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`GET ${path} answered ${response.statusCode}: ${body}`));
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** The waterfalls of a pod and its container; none from a daemon that has no debug socket beside its CRI one. */
export async function readWaterfalls({ daemon }: Subject, { pod, container }: StartedPod): Promise<readonly Waterfall[]> {
  const socket = join(dirname(daemon.socket), 'debug.sock');
  if (!existsSync(socket)) return [];
  const answers = await Promise.all([pod, container].map(async (id) => get(socket, `/v1/trace/${id}`)));
  const all = answers.flatMap((text) => (JSON.parse(text) as { waterfalls: readonly Waterfall[] }).waterfalls);
  return [...new Map(all.map((waterfall) => [`${waterfall.kind} ${waterfall.id}`, waterfall])).values()];
}

/** The usual shape of many waterfalls of one kind. */
export interface PhaseSummary {
  readonly kind: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Medians by kind and phase, in the order of their starts. */
export function summariseWaterfalls(waterfalls: readonly Waterfall[]): readonly PhaseSummary[] {
  const groups = new Map<string, { kind: string; phases: Phase[] }>();
  for (const { kind, phases } of waterfalls) {
    for (const phase of phases) {
      const key = `${kind} ${phase.name}`;
      const group = groups.get(key) ?? { kind, phases: [] };
      group.phases.push(phase);
      groups.set(key, group);
    }
  }
  const summaries = [...groups.values()].map(({ kind, phases }) => ({
    kind,
    name: phases[0]?.name ?? '',
    startMs: median(phases.map(({ startMs }) => startMs)),
    durationMs: median(phases.map(({ durationMs }) => durationMs)),
  }));
  return summaries.toSorted((left, right) => right.kind.localeCompare(left.kind) || left.startMs - right.startMs);
}
