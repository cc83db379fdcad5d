import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { selinuxLabels, type SelinuxContexts, type SelinuxLabels } from '../../oci/runtime-spec/selinux.ts';
import type { Pod } from '../model/pod.ts';
import type { SecurityContext } from '../model/security.ts';

const categories = 1024;
const customary: SelinuxContexts = { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' };

export interface SelinuxFiles {
  /** The administration's directory, `/etc/selinux`. */
  readonly policies: string;
  /** Takes a context and fails on one that the loaded policy does not know. */
  readonly check: string;
}

/**
 * The node's SELinux. On a node without it there are no labels and requests for one are taken and not followed, as other
 * runtimes do: clients ask for a type on every node, whether it has SELinux or not.
 */
export class Selinux {
  readonly #enabled: boolean;
  readonly #check: string;
  readonly #contexts: SelinuxContexts;

  constructor(enabled: boolean, { policies, check }: SelinuxFiles = { policies: '/etc/selinux', check: '/sys/fs/selinux/context' }) {
    this.#enabled = enabled;
    this.#check = check;
    this.#contexts = enabled ? readContexts(policies) : customary;
  }

  /** A level that no other pod has, so that pods cannot reach each other's files; undefined without SELinux. */
  newLevel(pods: readonly Pod[]): string | undefined {
    if (!this.#enabled) return undefined;
    const taken = new Set(pods.map(({ selinuxLevel }) => selinuxLevel));
    for (;;) {
      const [low, high] = [randomInt(categories), randomInt(categories)].toSorted((a, b) => a - b);
      const level = `s0:c${low},c${high}`;
      if (low !== high && !taken.has(level)) return level;
    }
  }

  /**
   * The labels of a pod, or of a container of it; undefined without SELinux. A container that names nothing has its pod's,
   * and one that names no level shares its pod's level, and so its volumes.
   */
  labels({ config, selinuxLevel }: Pod, container?: SecurityContext): SelinuxLabels | undefined {
    if (!this.#enabled) return undefined;
    const { security } = config;
    const level = security.selinux?.level || selinuxLevel || 's0';
    const { privileged } = container ?? security;
    const labels = selinuxLabels(container?.selinux ?? security.selinux, { contexts: this.#contexts, level, privileged });
    this.#checkKnown(labels.process);
    return labels;
  }

  #checkKnown(context: string): void {
    try {
      writeFileSync(this.#check, context);
    } catch (cause) {
      throw new BerthError('invalid', `this node's SELinux policy has no context ${context}`, { hint: 'ask for a user, role and type that it knows', cause });
    }
  }
}

/** What the policy in use says of containers; where it says nothing, what container policies have had ever since. */
function readContexts(policies: string): SelinuxContexts {
  const policy = valueIn(join(policies, 'config'), 'SELINUXTYPE') ?? 'targeted';
  const contexts = join(policies, policy, 'contexts/lxc_contexts');
  return { process: valueIn(contexts, 'process') ?? customary.process, file: valueIn(contexts, 'file') ?? customary.file };
}

function valueIn(path: string, key: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined; // A policy without the file is one that does not say.
  }
  const line = text.split('\n').find((each) => each.replace(/\s*=.*$/, '').trim() === key);
  return line?.slice(line.indexOf('=') + 1).trim().replaceAll('"', '');
}
