import type { Container } from '../../engine/model/container.ts';
import { BerthError } from '../../lib/errors.ts';
import { encodeExecOutput } from '../codec/exec-output.ts';
import { nonEmpty } from '../codec/pick.ts';
import { decodeStreams } from '../codec/streams.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { ExecRequest, ExecSyncRequest, ExecSyncResponse, StreamsRequest, UrlResponse } from '../messages/container.ts';
import type { PortForwardRequest } from '../messages/sandbox.ts';

const maxPort = 65_535;

/** What runs inside a container or pod for a client. Exec, Attach and PortForward only make a URL, at which src/remotecommand serves. */
export const streamRoutes = {
  async ExecSync({ engine }: Door, { containerId, cmd, timeout }: ExecSyncRequest, { signal }: Caller): Promise<ExecSyncResponse> {
    const timeoutMs = timeout > 0n ? Number(timeout) * 1000 : undefined;
    const request = { command: program(cmd), containerId: nonEmpty(containerId, 'container_id'), timeoutMs };
    return encodeExecOutput(await engine.containers.execSync(request, signal));
  },

  Exec({ engine, streaming }: Door, request: ExecRequest): UrlResponse {
    const command = program(request.cmd);
    const streams = decodeStreams(request);
    return { url: streaming.exec({ containerId: running(engine, request.containerId).id, command, streams }) };
  },

  Attach({ engine, streaming }: Door, request: StreamsRequest): UrlResponse {
    const streams = decodeStreams(request);
    return { url: streaming.attach({ containerId: running(engine, request.containerId).id, streams }) };
  },

  PortForward({ engine, streaming }: Door, { podSandboxId, port: ports }: PortForwardRequest): UrlResponse {
    const wrong = ports.find((port) => port < 1 || port > maxPort);
    if (wrong !== undefined) throw new BerthError('invalid', `port must be from 1 to ${maxPort}, not ${wrong}`);
    const pod = engine.pods.get(nonEmpty(podSandboxId, 'pod_sandbox_id'));
    if (pod.state !== 'ready') throw new BerthError('precondition', `pod ${pod.id} is ${pod.state}`);
    return { url: streaming.portForward({ podId: pod.id, ports }) };
  },
} satisfies Routes;

function program(cmd: readonly string[]): readonly string[] {
  if (cmd.length === 0) throw new BerthError('invalid', 'cmd is empty');
  return cmd;
}

/** A container whose streams can be had; fails `not-found`, or `precondition` when it does not run. */
function running(engine: Door['engine'], containerId: string): Container {
  const container = engine.containers.get(nonEmpty(containerId, 'container_id'));
  if (container.state !== 'running') throw new BerthError('precondition', `container ${container.id} is ${container.state} and not running`);
  return container;
}
