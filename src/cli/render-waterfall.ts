export interface PhaseView {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

const barWidth = 40;

/** One line a phase: name, milliseconds, and a bar placed where the phase ran. Overlapping bars ran in parallel. */
export function renderWaterfall(title: string, phases: readonly PhaseView[]): string {
  const endMs = Math.max(...phases.map((phase) => phase.startMs + phase.durationMs), 0.001);
  const nameWidth = Math.max(10, ...phases.map((phase) => phase.name.length));
  const lines = phases.map((phase) => {
    const from = Math.min(barWidth - 1, Math.floor((phase.startMs / endMs) * barWidth));
    const length = Math.max(1, Math.min(barWidth - from, Math.round((phase.durationMs / endMs) * barWidth)));
    return `  ${phase.name.padEnd(nameWidth)} ${phase.durationMs.toFixed(1).padStart(8)} ms  ${' '.repeat(from)}${'█'.repeat(length)}`;
  });
  return [`${title}: ${endMs.toFixed(1)} ms`, ...lines].join('\n');
}
