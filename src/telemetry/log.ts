import { pino, stdSerializers, type DestinationStream } from 'pino';
import { cutText, visibleJson } from '../lib/clean-text.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** Facts beside a message. An error goes under `err`; its causes are written out with it. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The daemon's log. A message says what happened in plain words; values go into the fields. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger whose lines all carry these fields. */
  child(fields: LogFields): Logger;
}

/** The logger that all others of the process come from. */
export interface RootLogger extends Logger {
  /** Counts for it and for all that come from it, from now on. */
  setLevel(level: LogLevel): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'text';
}

const secretNames = ['password', 'auth', 'identityToken', 'registryToken', 'authorization', 'env', 'envs'];

/** Bytes of one value, a stack say. */
const maxValueBytes = 8192;

/** Long texts cut: what failed may have come from anywhere. */
function cutValues(fields: Record<string, unknown>): Record<string, unknown> {
  if (!Object.values(fields).some((value) => typeof value === 'string' && value.length > maxValueBytes / 4)) return fields;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? cutText(value, maxValueBytes) : value]));
}

/** Logs to stderr, one line a message, in which nothing can steer a terminal. `write` is where lines go instead, for tests. */
export function createLogger(options: LogOptions, write: (line: string) => void = (line) => process.stderr.write(line)): RootLogger {
  const destination: DestinationStream = { write: (line) => { write(visibleJson(options.format === 'json' ? line : asText(line))); } };
  let threshold = pino.levels.values[options.level] ?? 0;
  const logger = pino(
    {
      // Children have levels of their own, so the one that counts is looked at line by line.
      level: 'trace',
      hooks: {
        logMethod(args, method, level) {
          if (level >= threshold) method.apply(this, args);
        },
      },
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: cutValues },
      serializers: { err: (error: Error) => cutValues(stdSerializers.err(error)) },
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    },
    destination,
  );
  return Object.assign(logger, {
    setLevel: (level: LogLevel) => {
      threshold = pino.levels.values[level] ?? 0;
    },
  });
}

/** A JSON line as people read it: time, level, message, then fields. */
function asText(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${fieldText(value)}`);
  return `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${String(msg)}${rest.join('')}\n`;
}

function fieldText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(value.message);
  return typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
}
