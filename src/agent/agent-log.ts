import type { Logger } from '../telemetry/log.ts';

export type AgentLog = Pick<Logger, 'info' | 'warn' | 'error'>;

const levels: ReadonlySet<string> = new Set(['info', 'warn', 'error']);

/** Hands a line that the agent wrote to stderr on: JSON with level and msg, or whatever a panic prints. */
export function logAgentLine(log: AgentLog, line: string): void {
  const record = parse(line);
  if (record === undefined) {
    log.warn({ line }, 'agent');
    return;
  }
  // The time of our own line is near enough.
  const { level, msg, time: _time, ...fields } = record;
  const name = typeof level === 'string' && levels.has(level) ? (level as keyof AgentLog) : 'info';
  log[name](fields, `agent: ${typeof msg === 'string' ? msg : ''}`);
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
