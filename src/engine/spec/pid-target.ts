import { BerthError } from '../../lib/errors.ts';
import type { PodId } from '../../lib/ids.ts';
import type { NamespaceOptions } from '../model/security.ts';
import { isLive } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';

/** Pid of the container whose PID namespace is to be joined; undefined where none is. It must run, in the same pod. */
export function checkPidTarget({ containers }: Pick<EngineParts, 'containers'>, podId: PodId, { pid, targetId }: NamespaceOptions): number | undefined {
  if (pid !== 'target') return undefined;
  const target = containers.get(targetId);
  if (target.podId !== podId) throw new BerthError('invalid', `container ${target.id}, whose PID namespace is to be joined, is in another pod`);
  if (!isLive(target) || target.task === undefined) {
    throw new BerthError('precondition', `container ${target.id}, whose PID namespace is to be joined, is ${target.state} and not running`);
  }
  return target.task.pid;
}
