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
    const hint = what.endsWith('illegal character in key') ? { hint: 'a name with a colon or slash wants quotes, as in [registries."r.example:5000"]' } : {};
    throw new BerthError('invalid', `${file}:${cause.line}:${cause.column}: ${what}`, hint);
  }
}
