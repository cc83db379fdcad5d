import type { Container } from '../engine/model/container.ts';
import { BerthError } from '../lib/errors.ts';
import { nonEmpty } from './codec/pick.ts';
import type { Door } from './handler.ts';

/** A container whose streams can be had; fails `not-found`, or `precondition` when it does not run. */
export function runningContainer({ engine }: Door, containerId: string): Container {
  const container = engine.containers.get(nonEmpty(containerId, 'container_id'));
  if (container.state !== 'running') throw new BerthError('precondition', `container ${container.id} is ${container.state} and not running`);
  return container;
}
