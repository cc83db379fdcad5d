export interface PhaseView {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

interface Row {
  readonly phase: PhaseView;
  readonly isInner: boolean;
}

const barWidth = 40;
const endOf = ({ startMs, durationMs }: PhaseView): number => startMs + durationMs;

/**
 * Phases with those inside them, which were measured by somebody else and are placed at the very moment at which theirs begins.
 * Phases that berthd measured never begin at one moment.
 */
function nest(phases: readonly PhaseView[]): readonly Row[] {
  const outer = phases.filter((phase, index) => !phases.some((other, at) => at < index && other.startMs === phase.startMs));
  return outer.flatMap((first) => phases.filter(({ startMs }) => startMs === first.startMs).map((phase) => ({ phase, isInner: phase !== first })));
}

/** Milliseconds before `endMs` in which no phase ran. */
function idleMs(phases: readonly PhaseView[], endMs: number): number {
  let busyUntil = 0;
  let idle = 0;
  for (const phase of phases.toSorted((a, b) => a.startMs - b.startMs)) {
    idle += Math.max(0, phase.startMs - busyUntil);
    busyUntil = Math.max(busyUntil, endOf(phase));
  }
  return idle + Math.max(0, endMs - busyUntil);
}

/** One line a phase: name, milliseconds, and a bar placed where the phase ran. Overlapping bars ran in parallel; `other` is when none ran. */
export function renderWaterfall(title: string, phases: readonly PhaseView[]): string {
  const endMs = Math.max(...phases.map(endOf), 0.001);
  const rows = nest(phases);
  const nameWidth = Math.max(10, ...rows.map(({ phase: { name }, isInner }) => name.length + (isInner ? 2 : 0)));
  const line = (name: string, durationMs: number, bar: string): string => `  ${name.padEnd(nameWidth)} ${durationMs.toFixed(1).padStart(8)} ms  ${bar}`.trimEnd();
  const lines = rows.map(({ phase: { name, startMs, durationMs }, isInner }) => {
    const from = Math.min(barWidth - 1, Math.floor((startMs / endMs) * barWidth));
    const length = Math.max(1, Math.min(barWidth - from, Math.round((durationMs / endMs) * barWidth)));
    return line(`${isInner ? '  ' : ''}${name}`, durationMs, `${' '.repeat(from)}${(isInner ? '░' : '█').repeat(length)}`);
  });
  return [`${title}: ${endMs.toFixed(1)} ms`, ...lines, line('other', idleMs(phases, endMs), '')].join('\n');
}
