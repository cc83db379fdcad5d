import type { Agent, ExecResult } from '../agent/port.ts';
import { BerthError } from '../lib/errors.ts';
import type { BootstrapResult, ShimMethods } from './methods.ts';
import type { RuntimeHandler } from './port.ts';

/** The containerd namespace that all tasks are in: shims keep their state below it. */
export const shimNamespace = 'berth';

const commandMs = 30_000;
/** Where programs of the node are. */
export const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ShimPlaces {
  /** Where shims put their sockets. */
  readonly socketDir: string;
  /** Our end for the events of foreign shims; empty when there is none. */
  readonly eventsAddress: string;
}

/** The shim of one container, before and after it runs. */
export interface ShimCommand {
  readonly handler: RuntimeHandler;
  readonly id: string;
  readonly bundle: string;
  readonly places: ShimPlaces;
}

interface Invocation {
  readonly argv: readonly [string, ...string[]];
  readonly stdin: Uint8Array;
  /** Marks the program, and with it whatever it starts. */
  readonly marked?: boolean;
}

/**
 * Runs the shim's `start`, which leaves the shim itself behind, and returns where that listens.
 * @throws BerthError with what the command printed; the signal's reason when the command was killed for it.
 */
export async function startShim(agent: Agent, command: ShimCommand, methods: ShimMethods, signal?: AbortSignal): Promise<BootstrapResult> {
  const { id, handler, places } = command;
  // Shims since containerd 2.3 read this from stdin; older ones use arguments and environment and ignore it.
  const stdin = methods.bootstrapParams.encode({
    instanceId: id,
    namespace: shimNamespace,
    containerdVersion: '',
    containerdTtrpcAddress: places.eventsAddress,
    socketDir: places.socketDir,
  });
  const result = await run(agent, command, { argv: [handler.shim, ...flags(id), 'start'], stdin, marked: handler.protocol === 'containerd' }, signal);
  const bootstrap = parseBootstrap(result.stdout, methods);
  if (bootstrap.protocol !== 'ttrpc' || (bootstrap.version !== 2 && bootstrap.version !== 3)) {
    throw new BerthError('unimplemented', `the shim ${handler.shim} speaks ${bootstrap.protocol} version ${bootstrap.version}`, { hint: 'ttrpc in version 2 or 3 is needed' });
  }
  return bootstrap;
}

/**
 * Runs the `delete` of a shim, which removes what a dead one left. That of berth's also kills one that lives; told so by
 * `berthShim`, its path, it does the same for another's, whose own `delete` it runs without relying on it.
 */
export async function deleteShim(agent: Agent, command: ShimCommand, berthShim: string | undefined, signal?: AbortSignal): Promise<void> {
  const { handler, id, bundle } = command;
  const program: readonly [string, ...string[]] = berthShim === undefined ? [handler.shim] : [berthShim, '-shim', handler.shim];
  await run(agent, command, { argv: [...program, ...flags(id), '-bundle', bundle, 'delete'], stdin: new Uint8Array(0) }, signal);
}

/** Waits a little for the end of a foreign shim that was told to end, and of what it runs, and kills what is still there. */
export async function settleShim(agent: Agent, command: ShimCommand, berthShim: string, signal?: AbortSignal): Promise<void> {
  await run(agent, command, { argv: [berthShim, ...flags(command.id), 'settle'], stdin: new Uint8Array(0) }, signal);
}

const flags = (id: string): readonly string[] => ['-namespace', shimNamespace, '-address', '', '-publish-binary', '', '-id', id];

async function run(agent: Agent, command: ShimCommand, { argv, stdin, marked = false }: Invocation, signal?: AbortSignal): Promise<ExecResult> {
  const { id, bundle, places } = command;
  const mark = marked ? { BERTH_CONTAINER: id } : {};
  const result = await agent.exec(
    {
      argv,
      env: { PATH: searchPath, NAMESPACE: shimNamespace, TTRPC_ADDRESS: places.eventsAddress, GRPC_ADDRESS: '', MAX_SHIM_VERSION: '3', GOMAXPROCS: '2', ...mark },
      cwd: bundle,
      stdin,
      timeoutMs: commandMs,
      detached: true,
    },
    signal,
  );
  if (result.exitCode === 0) return result;
  const said = Buffer.from(result.stderr.length > 0 ? result.stderr : result.stdout).toString().trim();
  throw new BerthError('internal', `${argv[0]} ${argv.at(-1)} of container ${id} failed with code ${result.exitCode}: ${said}`);
}

/** A protobuf message from new shims, JSON from older ones, the bare address from the oldest. */
export function parseBootstrap(stdout: Uint8Array, methods: Pick<ShimMethods, 'bootstrapResult'>): BootstrapResult {
  const text = Buffer.from(stdout).toString().trim();
  if (text.startsWith('{')) {
    const { version = 2, address = '', protocol = 'ttrpc' } = JSON.parse(text) as Partial<BootstrapResult>;
    return { version, address, protocol };
  }
  if (text.startsWith('unix://')) return { version: 2, address: text, protocol: 'ttrpc' };
  return methods.bootstrapResult.decode(stdout);
}
