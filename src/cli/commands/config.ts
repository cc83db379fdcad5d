import { loadConfig } from '../../config/load-config.ts';
import { BerthError } from '../../lib/errors.ts';

/** `berth config check`: reads a configuration as berthd would. */
export async function checkConfig(file: string): Promise<void> {
  try {
    loadConfig(file);
  } catch (error) {
    throw error instanceof BerthError ? new Error(error.text, { cause: error }) : error;
  }
  process.stdout.write(`${file} is good\n`);
}
