import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { messageOf } from '../lib/errors.ts';
import { parseConfigList, parseSingleConfig, type ConfigList } from './config-list.ts';
import { isLoopback } from './has-work.ts';

/** What the config directory says: a network, or why there is none. */
export type Configured =
  | { readonly list: ConfigList; readonly path: string; readonly reason: '' }
  | { readonly list: undefined; readonly path: string | undefined; readonly reason: string };

const extensions = new Set(['.conflist', '.conf', '.json']);

/**
 * Reads the first network of the directory, by file name. A broken file before it is no reason to take another one: that
 * would give pods addresses of a network that nobody meant.
 */
export function readConfDir(dir: string): Configured {
  let path: string | undefined;
  try {
    for (path of configFiles(dir)) {
      const list = readConfig(path);
      // The loopback interface alone is not a pod network; other runtimes want such a file beside the real one.
      if (!list.plugins.every(isLoopback)) return { list, path, reason: '' };
    }
  } catch (error) {
    return { list: undefined, path, reason: `the network config cannot be used: ${messageOf(error)}` };
  }
  return { list: undefined, path: undefined, reason: `there is no network config in ${dir}; install the cluster's network add-on, or copy the bridge that comes with berth there, /usr/share/berth/10-berth.conflist` };
}

/** Paths of the directory's config files, in the order of their names. */
export function configFiles(dir: string): readonly string[] {
  return namesIn(dir).filter((name) => extensions.has(extname(name))).toSorted().map((name) => join(dir, name));
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function readConfig(path: string): ConfigList {
  const text = readFileSync(path, 'utf8');
  return extname(path) === '.conflist' ? parseConfigList(text, path) : parseSingleConfig(text, path);
}
