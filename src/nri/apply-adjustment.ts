import { byDepth } from '../oci/runtime-spec/mounts.ts';
import type { OciHook, OciHookName, OciHooks, OciMount, OciProcess, OciRlimit, OciSpec } from '../oci/runtime-spec/types.ts';
import type { Adjustment } from './adjustment.ts';
import { applyLinux } from './apply-linux.ts';
import type { HookMessage, HooksMessage, MountMessage } from './messages.ts';
import { applyPairs } from './pairs.ts';
import { compact } from './resources.ts';
import { ioPriorityOf, schedulerOf, uint64 } from './words.ts';

/** The spec with everything that plugins changed, besides CDI devices, which whoever knows them has to inject. Pure. */
export function applyAdjustment(spec: OciSpec, adjustment: Adjustment): OciSpec {
  const hooks = applyHooks(spec.hooks ?? {}, adjustment.hooks);
  const mounts = applyMounts(spec.mounts, adjustment.mounts);
  const linux = applyLinux(spec.linux, adjustment);
  const propagation = rootfsPropagation(linux.rootfsPropagation, adjustment.mounts);
  return {
    ...spec,
    process: applyProcess(spec.process, adjustment),
    mounts,
    annotations: applyPairs(spec.annotations, adjustment.annotations),
    ...(Object.keys(hooks).length > 0 ? { hooks } : {}),
    linux: propagation === undefined ? linux : { ...linux, rootfsPropagation: propagation },
  };
}

function applyProcess(process: OciProcess, { args, env, rlimits, single }: Adjustment): OciProcess {
  return {
    ...process,
    args: args.length > 0 ? args : process.args,
    env: applyEnv(process.env, env),
    ...(rlimits.size > 0 ? { rlimits: applyRlimits(process.rlimits ?? [], [...rlimits.values()].map(({ type, hard, soft }) => ({ type, hard: uint64(hard), soft: uint64(soft) }))) } : {}),
    ...(single.oomScoreAdj === null ? {} : { oomScoreAdj: Number(single.oomScoreAdj.value) }),
    ...compact({ ioPriority: ioPriorityOf(single.ioPriority), scheduler: schedulerOf(single.scheduler) }),
  };
}

/** What is changed stays in its place; what is new comes last. */
function applyEnv(before: readonly string[], changes: ReadonlyMap<string, string | undefined>): readonly string[] {
  const nameOf = (variable: string): string => variable.split('=', 1)[0] ?? '';
  const text = (name: string): string[] => {
    const value = changes.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  };
  const known = new Set(before.map(nameOf));
  const kept = before.flatMap((variable) => (changes.has(nameOf(variable)) ? text(nameOf(variable)) : [variable]));
  return [...kept, ...[...changes.keys()].filter((name) => !known.has(name)).flatMap(text)];
}

function applyRlimits(before: readonly OciRlimit[], changes: readonly OciRlimit[]): readonly OciRlimit[] {
  const types = new Set(changes.map(({ type }) => type));
  return [...before.filter(({ type }) => !types.has(type)), ...changes];
}

/** In the order in which they must be made: a mount comes after those that it is below. */
function applyMounts(before: readonly OciMount[], changes: ReadonlyMap<string, MountMessage | undefined>): readonly OciMount[] {
  if (changes.size === 0) return before;
  const added = [...changes.values()].flatMap((mount) => (mount === undefined ? [] : [{ destination: mount.destination, type: mount.type, source: mount.source, options: mount.options }]));
  return byDepth([...before.filter(({ destination }) => !changes.has(destination)), ...added]);
}

/** Events travel into the container only through a root that lets them. */
function rootfsPropagation(before: string | undefined, changes: ReadonlyMap<string, MountMessage | undefined>): string | undefined {
  const options = new Set([...changes.values()].flatMap((mount) => mount?.options ?? []));
  if (options.has('rshared') || before === 'rshared') return 'rshared';
  return options.has('rslave') ? 'rslave' : before;
}

function applyHooks(before: OciHooks, added: HooksMessage): OciHooks {
  const points = Object.keys(added) as OciHookName[];
  const all = points.map((point) => [point, [...(before[point] ?? []), ...added[point].map(hook)]] as const);
  return Object.fromEntries(all.filter(([, hooks]) => hooks.length > 0));
}

function hook({ path, args, env, timeout }: HookMessage): OciHook {
  return {
    path,
    ...compact({ args: args.length > 0 ? args : undefined, env: env.length > 0 ? env : undefined, timeout: timeout === null ? undefined : Number(timeout.value) }),
  };
}
