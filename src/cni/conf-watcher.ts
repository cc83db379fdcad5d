import { type FSWatcher, statSync, watch } from 'node:fs';
import type { Log } from '../lib/log.ts';
import { configFiles, readConfDir, type Configured } from './read-conf-dir.ts';

/** Files are often written in several steps. */
const debounceMs = 100;
/** For what the kernel does not tell: a directory that appears later, and filesystems without inotify. */
const pollMs = 2000;

/** Knows the network that the config directory holds now. */
export class ConfWatcher {
  readonly #dir: string;
  readonly #log: Pick<Log, 'info' | 'warn'>;
  readonly #poll: NodeJS.Timeout;
  #debounce: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #watchedInode: number | undefined;
  #fingerprint: string;
  #current: Configured;

  constructor(components: { readonly log: Pick<Log, 'info' | 'warn'> }, init: { readonly dir: string }) {
    this.#dir = init.dir;
    this.#log = components.log;
    this.#watch();
    this.#fingerprint = this.#look();
    this.#current = this.#read();
    this.#poll = setInterval(() => {
      this.#watch();
      this.#reload();
    }, pollMs).unref();
  }

  current(): Configured {
    return this.#current;
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#debounce);
    this.#watcher?.close();
  }

  /** Watches the directory that has the path now. */
  #watch(): void {
    try {
      const inode = statSync(this.#dir, { throwIfNoEntry: false })?.ino;
      if (inode === this.#watchedInode) return;
      this.#watcher?.close();
      this.#watcher = undefined;
      this.#watchedInode = undefined;
      if (inode === undefined) return;
      this.#watcher = watch(this.#dir, { persistent: false }, () => {
        this.#reloadSoon();
      }).on('error', () => {
        this.#watchedInode = undefined;
      });
      this.#watchedInode = inode;
    } catch (err) {
      this.#log.warn({ dir: this.#dir, err }, 'the network config directory cannot be watched; it is read every few seconds');
    }
  }

  #reloadSoon(): void {
    this.#debounce ??= setTimeout(() => {
      this.#debounce = undefined;
      this.#reload();
    }, debounceMs).unref();
  }

  #reload(): void {
    const fingerprint = this.#look();
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#current = this.#read();
  }

  #read(): Configured {
    const configured = readConfDir(this.#dir);
    const { list, path, reason } = configured;
    if (list === undefined) this.#log.warn({ path }, reason);
    else this.#log.info({ path, network: list.name }, 'network config loaded');
    return configured;
  }

  /** Changes whenever the files do. */
  #look(): string {
    try {
      const facts = configFiles(this.#dir).map((path) => {
        const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
        return `${path} ${stat?.ino} ${stat?.size} ${stat?.mtimeNs}`;
      });
      return facts.join('\n');
    } catch (error) {
      return String(error);
    }
  }
}
