import { BerthError } from '../../lib/errors.ts';
import { nonEmpty } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { UrlResponse } from '../messages/container.ts';
import type { PortForwardRequest } from '../messages/sandbox.ts';

const maxPort = 65_535;

export const portForward =
  ({ engine, streaming }: Door): Unary<PortForwardRequest, UrlResponse> =>
  ({ podSandboxId, port: ports }) => {
    const wrong = ports.find((port) => port < 1 || port > maxPort);
    if (wrong !== undefined) throw new BerthError('invalid', `port must be from 1 to ${maxPort}, not ${wrong}`);
    const pod = engine.pods.get(nonEmpty(podSandboxId, 'pod_sandbox_id'));
    if (pod.state !== 'ready') throw new BerthError('precondition', `pod ${pod.id} is ${pod.state}`);
    return { url: streaming.portForward({ podId: pod.id, ports }) };
  };
