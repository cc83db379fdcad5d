import type { OciSeccomp, OciSyscallRule } from '../oci/runtime-spec/types.ts';
import type { SeccompMessage } from './messages.ts';
import { compact } from './resources.ts';
import { uint64 } from './words.ts';

/** The filter that a plugin gives. */
export function seccompOf(message: SeccompMessage): OciSeccomp {
  const { defaultAction, defaultErrno, architectures, flags, listenerPath, listenerMetadata, syscalls } = message;
  return {
    defaultAction,
    ...compact({
      defaultErrnoRet: defaultErrno?.value,
      architectures: architectures.length > 0 ? architectures : undefined,
      flags: flags.length > 0 ? flags : undefined,
      listenerPath: listenerPath === '' ? undefined : listenerPath,
      listenerMetadata: listenerMetadata === '' ? undefined : listenerMetadata,
    }),
    syscalls: syscalls.map(rule),
  };
}

function rule({ names, action, errnoRet, args }: SeccompMessage['syscalls'][number]): OciSyscallRule {
  return {
    names,
    action,
    ...(errnoRet === null ? {} : { errnoRet: errnoRet.value }),
    ...(args.length === 0 ? {} : { args: args.map(({ index, value, valueTwo, op }) => ({ index, value: uint64(value), valueTwo: uint64(valueTwo), op })) }),
  };
}

/** How plugins are told of a filter. */
export function seccompMessage(of: OciSeccomp | undefined): SeccompMessage | null {
  if (of === undefined) return null;
  return {
    defaultAction: of.defaultAction,
    defaultErrno: of.defaultErrnoRet === undefined ? null : { value: of.defaultErrnoRet },
    architectures: of.architectures ?? [],
    flags: of.flags ?? [],
    listenerPath: of.listenerPath ?? '',
    listenerMetadata: of.listenerMetadata ?? '',
    syscalls: (of.syscalls ?? []).map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      errnoRet: errnoRet === undefined ? null : { value: errnoRet },
      args: (args ?? []).map(({ index, value, valueTwo, op }) => ({ index, value: BigInt(value), valueTwo: BigInt(valueTwo ?? 0), op })),
    })),
  };
}
