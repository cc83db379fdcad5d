import { exitFile } from './exit-record.ts';
import { type CreateMessage, pack, type ShimMethods } from './methods.ts';
import type { RuntimeHandler, TaskSpec } from './port.ts';

export interface TaskRequestInit {
  readonly handler: RuntimeHandler;
  /** Absolute path of berth-shim, which serves foreign shims as the log writer. */
  readonly logger: string;
}

/** The Create request of either protocol. A foreign shim whose output goes to a log writer opens no stdin. */
export function createRequest(spec: TaskSpec, init: TaskRequestInit, methods: ShimMethods): CreateMessage {
  const { id, bundle, rootfs, terminal, checkpoint = '' } = spec;
  if (init.handler.protocol === 'berth') {
    return { id, bundle, rootfs, terminal, stdin: '', stdout: '', stderr: '', checkpoint, options: berthOptions(spec, init.handler, methods) };
  }
  const output = spec.logPath === undefined ? '' : loggerUri(init.logger, spec.logPath);
  return { id, bundle, rootfs, terminal, stdin: '', stdout: output, stderr: terminal ? '' : output, checkpoint, options: runcOptions(init.handler, methods) };
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

/** One parameter only: shims pass them on in random order. */
function loggerUri(logger: string, logPath: string): string {
  return `binary://${encodeURI(logger)}?${new URLSearchParams({ log: logPath }).toString()}`;
}
