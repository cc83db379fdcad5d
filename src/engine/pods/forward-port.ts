import { BerthError, isKind } from '../../lib/errors.ts';
import type { Pod } from '../model/pod.ts';
import type { PodConnection } from '../model/session.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';

/** See PodService.forward. */
export function forwardPort(parts: EngineParts, idOrPrefix: string, port: number, signal: AbortSignal): Promise<PodConnection> {
  return observed(parts, 'forward-port', async () => {
    const pod = parts.pods.get(idOrPrefix);
    if (pod.state !== 'ready') throw new BerthError('precondition', `pod ${pod.id} is ${pod.state}, and ports of a ready one alone can be forwarded`);
    try {
      return await parts.agent.forwardPort({ netnsPath: netnsPath(parts, pod), port, socketDir: parts.paths.forwards }, signal);
    } catch (error) {
      if (!isKind(error, 'precondition')) throw error;
      throw new BerthError('precondition', `nothing listens on port ${port} in pod ${pod.id}`, { cause: error, hint: 'the program must listen on the loopback interface, or on all' });
    }
  });
}

/** Empty: the host's network, which a pod may share. */
function netnsPath({ paths }: EngineParts, { id, config }: Pod): string {
  return config.security.namespaces.network === 'node' ? '' : paths.pin(id, 'net');
}
