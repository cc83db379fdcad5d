import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { BerthError } from '../lib/errors.ts';

/** Absolute paths of berth's native programs. */
export interface Programs {
  readonly agent: string;
  readonly pause: string;
  readonly shim: string;
}

const checkout = join(import.meta.dirname, '../..');
/** Below the prefix that this is installed in as PREFIX/lib/berth. */
const installed = join(checkout, '../../libexec/berth');

/** Where a program is that the configuration does not name: beside this checkout's sources if it was built there. */
function locate(name: string): string {
  const [built] = globSync(`native/target/*/release/${name}`, { cwd: checkout });
  return built === undefined ? join(installed, name) : join(checkout, built);
}

function present(path: string, key: string): string {
  if (existsSync(path)) return path;
  throw new BerthError('invalid', `${path} does not exist`, { hint: `build it with "make build", or set ${key}` });
}

/** Finds the native programs. Fails `invalid` when one is missing. */
export function findPrograms({ agent, shim }: Config): Programs {
  return {
    agent: present(agent.path === '' ? locate('berth-agent') : agent.path, '[agent] path'),
    pause: present(agent.pausePath === '' ? locate('berth-pause') : agent.pausePath, '[agent] pause_path'),
    shim: present(shim.path === '' ? locate('berth-shim') : shim.path, '[shim] path'),
  };
}
