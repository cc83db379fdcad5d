import { exitFile } from './exit-record.ts';
import { foreignStdio } from './foreign-streams.ts';
import { type CreateMessage, pack, type ShimMethods } from './methods.ts';
import type { RuntimeHandler, TaskSpec } from './port.ts';

/** The Create request of either protocol. Our own shim makes the container's streams itself. */
export function createRequest(spec: TaskSpec, handler: RuntimeHandler, methods: ShimMethods): CreateMessage {
  const { id, bundle, rootfs, terminal, checkpoint = '' } = spec;
  const common = { id, bundle, rootfs, checkpoint };
  if (handler.protocol === 'berth') return { ...common, terminal, stdin: '', stdout: '', stderr: '', options: berthOptions(spec, handler, methods) };
  return { ...common, ...foreignStdio(spec), options: runcOptions(handler, methods) };
}

function berthOptions(spec: TaskSpec, handler: RuntimeHandler, methods: ShimMethods): CreateMessage['options'] {
  return pack(methods.berthOptions, {
    runtime: handler.runtime,
    runtimeRoot: handler.runtimeRoot,
    systemdCgroup: handler.systemdCgroup,
    log: spec.logPath === undefined ? null : { path: spec.logPath, maxLineBytes: spec.maxLogLineBytes },
    stdin: spec.stdin,
    stdinOnce: spec.stdinOnce,
    exitFile: exitFile(spec.bundle),
    runOnStart: true,
  });
}

/** Shims that do not run an OCI runtime have options of their own kinds and get none. */
function runcOptions(handler: RuntimeHandler, methods: ShimMethods): CreateMessage['options'] {
  if (handler.runtime === '') return null;
  return pack(methods.runcOptions, { binaryName: handler.runtime, root: handler.runtimeRoot, systemdCgroup: handler.systemdCgroup });
}
