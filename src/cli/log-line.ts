export interface LogEntry {
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The line goes on in the next entry of the same stream. */
  readonly partial: boolean;
  readonly content: string;
}

/** One line of a CRI log file: `<RFC3339Nano> <stdout|stderr> <P|F> <content>`; undefined when it is none. */
export function parseLogLine(line: string): LogEntry | undefined {
  const match = /^(\S+) (stdout|stderr) ([PF])(?::\S*)? ?([\s\S]*)$/.exec(line);
  if (match === null) return undefined;
  const [, time = '', stream = '', tag = '', content = ''] = match;
  return { time, stream: stream === 'stderr' ? 'stderr' : 'stdout', partial: tag === 'P', content };
}
