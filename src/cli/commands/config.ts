import { existsSync } from 'node:fs';
import { defaultConfigPath, loadConfig } from '../../config/load-config.ts';
import { BerthError } from '../../lib/errors.ts';
import { printJson } from '../context.ts';

/** `berth config check`: reads a configuration as berthd would. */
export async function checkConfig(file: string, { json }: { readonly json: boolean }): Promise<void> {
  const error = problemOf(file);
  if (json) printJson({ file, good: error === undefined, ...(error === undefined ? {} : { error }) });
  else if (error === undefined) process.stdout.write(`${verdict(file)}\n`);
  if (error === undefined) return;
  if (!json) throw new Error(error);
  process.exitCode = 1;
}

/** What keeps berthd from starting with it. */
function problemOf(file: string): string | undefined {
  try {
    loadConfig(file);
    return undefined;
  } catch (error) {
    if (error instanceof BerthError) return error.text;
    throw error;
  }
}

const verdict = (file: string): string => (file !== defaultConfigPath || existsSync(file) ? `${file} is good` : `${file} does not exist: berthd takes its defaults, which are good`);
