import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseExactly, stringifyExactly } from '../lib/exact-json.ts';
import { runtimeAnnotations, type RuntimeHandler } from './port.ts';

/** crun takes a ready BPF program from here and then leaves libseccomp out, which costs half of a start. */
const annotation = `${runtimeAnnotations}seccomp_bpf_data`;
/** Where crun keeps its containers unless it is told. */
const defaultRoot = '/run/crun';
/** Profiles on a node are few; whoever makes one for each container must not fill the memory. */
const maxPrograms = 64;
/** One struct sock_filter. */
const instructionBytes = 8;

/**
 * BPF programs that crun made of seccomp profiles, so that it makes each once. A program is the one that crun left with
 * the first container of a profile: what later containers get is to the byte what crun would make of theirs.
 */
export class CompiledSeccomp {
  readonly #programs = new Map<string, string>();
  readonly #wanted = new Set<string>();

  /** The annotations with which the handler's runtime need not compile the profile; empty while its program is unknown. */
  annotations(handler: RuntimeHandler, profile: unknown): Readonly<Record<string, string>> {
    if (profile === undefined || !keepsPrograms(handler)) return {};
    const key = keyOf(handler, profile);
    const program = this.#programs.get(key);
    if (program !== undefined) return { [annotation]: program };
    if (this.#wanted.size < maxPrograms) this.#wanted.add(key);
    return {};
  }

  /** Takes the program of a container that just started, if its profile is one that was asked for. Never fails. */
  async learn(handler: RuntimeHandler, { id, bundle }: { readonly id: string; readonly bundle: string }): Promise<void> {
    if (this.#wanted.size === 0 || !keepsPrograms(handler)) return;
    try {
      const spec = parseExactly(await readFile(join(bundle, 'config.json'), 'utf8')) as { linux?: { seccomp?: unknown } };
      const key = keyOf(handler, spec.linux?.seccomp);
      if (!this.#wanted.has(key)) return;
      const program = await readFile(join(handler.runtimeRoot === '' ? defaultRoot : handler.runtimeRoot, id, 'seccomp.bpf'));
      if (program.length > 0 && program.length % instructionBytes === 0) this.#remember(key, program.toString('base64'));
    } catch {
      // The container is gone already, or this crun keeps no program: the next start is as slow as this one.
    }
  }

  #remember(key: string, program: string): void {
    this.#wanted.delete(key);
    const [oldest] = this.#programs.keys();
    if (this.#programs.size >= maxPrograms && oldest !== undefined) this.#programs.delete(oldest);
    this.#programs.set(key, program);
  }
}

/** Foreign shims may place their runtime's state where they like. */
function keepsPrograms({ runtime, protocol }: RuntimeHandler): boolean {
  return protocol === 'berth' && basename(runtime) === 'crun';
}

/** Two crun binaries may compile differently. */
function keyOf({ runtime }: RuntimeHandler, profile: unknown): string {
  return `${runtime} ${stringifyExactly(profile)}`;
}
