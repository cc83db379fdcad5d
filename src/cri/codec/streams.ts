import type { StreamChoice } from '../../engine/model/session.ts';
import { BerthError } from '../../lib/errors.ts';
import type { StreamsRequest } from '../messages/container.ts';

/** Which streams the client wants; fails `invalid` where no process could have them so. */
export function decodeStreams({ stdin, stdout, stderr, tty }: StreamsRequest): StreamChoice {
  if (!stdin && !stdout && !stderr) throw new BerthError('invalid', 'one of stdin, stdout and stderr must be asked for');
  if (tty && stderr) throw new BerthError('invalid', 'a terminal has one output, stdout: tty and stderr exclude each other');
  return { stdin, stdout, stderr, tty };
}
