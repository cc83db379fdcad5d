import { readFileSync } from 'node:fs';

export interface LogLine {
  readonly time: string;
  readonly stream: string;
  readonly tag: string;
  readonly content: string;
}

/** Parses a CRI log as strictly as the kubelet does. */
export function readLog(path: string): readonly LogLine[] {
  const text = readFileSync(path, 'utf8');
  if (text !== '' && !text.endsWith('\n')) throw new Error(`${path} ends in the middle of a line`);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF]) (.*)$/s.exec(line);
      if (match === null) throw new Error(`not a CRI log line: ${JSON.stringify(line.slice(0, 200))}`);
      const [, time = '', stream = '', tag = '', content = ''] = match;
      return { time, stream, tag, content };
    });
}

/** What a stream's lines say together. */
export function textOf(lines: readonly LogLine[], stream: 'stdout' | 'stderr' = 'stdout'): string {
  return lines.filter((line) => line.stream === stream).map(({ content, tag }) => (tag === 'F' ? `${content}\n` : content)).join('');
}
