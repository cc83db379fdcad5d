import type { Container } from '../engine/model/container.ts';
import type { Pod } from '../engine/model/pod.ts';
import type { Engine } from '../engine/port.ts';
import { isKind } from '../lib/errors.ts';
import type { Phase } from '../lib/waterfall.ts';

export interface TraceView {
  readonly waterfalls: readonly { readonly kind: 'pod' | 'container'; readonly id: string; readonly name: string; readonly phases: readonly Phase[] }[];
}

type View = TraceView['waterfalls'][number];

const podView = (pod: Pod): View => ({ kind: 'pod', id: pod.id, name: pod.config.title, phases: pod.waterfall });
const containerView = (container: Container): View => ({ kind: 'container', id: container.id, name: container.config.name, phases: container.waterfall });

function findPod(engine: Engine, id: string): Pod | undefined {
  try {
    return engine.pods.get(id);
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}

/** Where a start spent its time: of a pod with all its containers, or of one container. Throws `not-found`. */
export function traceOf(engine: Engine, id: string): TraceView {
  const pod = findPod(engine, id);
  if (pod === undefined) return { waterfalls: [containerView(engine.containers.get(id))] };
  const containers = engine.containers.list({ podId: pod.id });
  return { waterfalls: [podView(pod), ...containers.map(containerView)] };
}
