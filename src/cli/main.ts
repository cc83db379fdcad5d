import { printable } from '../lib/clean-text.ts';
import { messageOf } from '../lib/errors.ts';
import { program } from './program.ts';

try {
  await program.parseAsync();
} catch (error) {
  const details = error instanceof Error && 'details' in error ? String(error.details) : undefined;
  process.stderr.write(`berth: ${details === undefined ? messageOf(error) : printable(details)}\n`);
  process.exitCode = 1;
}
