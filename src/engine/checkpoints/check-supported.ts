import { BerthError } from '../../lib/errors.ts';
import { handlerOf } from '../spec/handler-of.ts';
import { snapshotterName } from '../spec/snapshotter-for.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

/** Fails `unimplemented` where the OCI runtime of the pod's handler is built without checkpoints, or its containers have no layer of their own. */
export function checkSupported(parts: EngineParts, pod: Pick<Pod, 'config'>): void {
  const handler = handlerOf(parts, pod);
  if (snapshotterName(parts.config, handler) !== 'overlay') {
    throw new BerthError('unimplemented', `the handler "${handler}" keeps containers as whole copies, of which no checkpoint is taken`, { hint: 'run the pod with a handler whose snapshotter is overlay' });
  }
  if (parts.features.of(handler).checkpoints) return;
  const able = parts.shims.handlers().filter(({ name }) => parts.features.of(name).checkpoints);
  const names = able.map(({ name }) => `"${name}"`).join(', ');
  throw new BerthError('unimplemented', `the OCI runtime of the handler "${handler}" is built without checkpoints`, {
    hint: names === '' ? 'configure a handler whose runtime has them, such as runc, or crun with CRIU' : `run the pod with ${names}`,
  });
}
