import { expect, test } from 'vitest';
import { createLogger, type LogOptions, type RootLogger } from './log.ts';

function lines(options: Partial<LogOptions>, use: (log: ReturnType<typeof createLogger>) => void): readonly string[] {
  const written: string[] = [];
  use(createLogger({ level: 'info', format: 'json', ...options }, (line) => { written.push(line); }));
  return written;
}

test('a line is JSON with level, time, message and fields', () => {
  const [line = ''] = lines({}, (log) => { log.child({ part: 'cri' }).warn({ pod: 'x' }, 'slow'); });
  expect(JSON.parse(line)).toEqual({ level: 'warn', time: expect.stringMatching(/^\d{4}-.*Z$/), part: 'cri', pod: 'x', msg: 'slow' });
});

test('levels below the configured one are silent', () => {
  expect(lines({ level: 'warn' }, (log) => { log.info({}, 'no'); log.debug({}, 'no'); log.error({}, 'yes'); })).toHaveLength(1);
});

test('a level that is changed counts at once, also for loggers that are there', () => {
  const written = lines({ level: 'warn' }, (log) => {
    const child = log.child({ part: 'cri' });
    child.info({}, 'before');
    const root = log as RootLogger;
    root.setLevel('debug');
    child.debug({}, 'between');
    root.setLevel('error');
    child.warn({}, 'after');
  });
  expect(written.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['between']);
});

test('an error is written with its cause', () => {
  const [line] = lines({}, (log) => { log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed'); });
  expect(line).toContain('outer');
  expect(line).toContain('inner');
});

test('fields that hold secrets are hidden, also one level down', () => {
  const [line] = lines({}, (log) => { log.info({ password: 'hunter2', request: { auth: 'hunter2', registryToken: 'hunter2', env: ['A=hunter2'] } }, 'pull'); });
  expect(line).not.toContain('hunter2');
});

test.each(['json', 'text'] as const)('nothing that an image or a registry said steers a terminal or fills the disk (%s)', (format) => {
  const said = '\u001b[31m \u009b \u202e\nlevel=error';
  const err = new Error(said, { cause: new Error('x'.repeat(10_000_000)) });
  const [line = ''] = lines({ format }, (log) => { log.info({ said, err, long: 'y'.repeat(10_000_000) }, 'pulled'); });
  expect(line).toMatch(/^[\x20-\x7e…]*\n$/);
  expect(line.length).toBeLessThan(50_000);
});

test('text is for people', () => {
  const [line] = lines({ format: 'text' }, (log) => { log.info({ pid: 7, why: 'two words', err: new Error('broken') }, 'agent ended'); });
  expect(line).toMatch(/^\S+Z INFO {2}agent ended pid=7 why="two words" err="broken"\n$/);
});
