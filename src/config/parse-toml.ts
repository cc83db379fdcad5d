import { parse, TomlError } from 'smol-toml';
import { BerthError } from '../lib/errors.ts';

/** Reads TOML; fails `invalid` with file, line and column. */
export function parseToml(source: string, file: string): unknown {
  try {
    return parse(source);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // The library's message quotes the line, which may hold a password; the first line of it does not.
    const [what = 'syntax error'] = cause.message.split('\n');
    throw new BerthError('invalid', `${file}:${cause.line}:${cause.column}: ${what}`);
  }
}
