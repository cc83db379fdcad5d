import type { ServerResponse } from 'node:http';
import type { Image, ImageService, PullProgress } from '../images/port.ts';
import { httpFailure } from './http-status.ts';

/** A line at most this often, however fast bytes come in. */
const progressIntervalMs = 100;

/** What clients of the operator API see of an image. */
export function imageView({ id, repoTags, repoDigests }: Image): Pick<Image, 'id' | 'repoTags' | 'repoDigests'> {
  return { id, repoTags, repoDigests };
}

/** Hands a progress on when its phase is new or some time has passed. */
function throttled(send: (progress: PullProgress) => void): (progress: PullProgress) => void {
  let lastMs = -Infinity;
  let phase = '';
  return (progress) => {
    const nowMs = performance.now();
    if (progress.phase === phase && nowMs - lastMs < progressIntervalMs) return;
    lastMs = nowMs;
    phase = progress.phase;
    send(progress);
  };
}

/** Pulls and tells how it goes as NDJSON: `{progress}` lines, then `{image}` or `{error}`. Ends early when the signal aborts. */
export async function streamPull(images: ImageService, reference: string, { response, signal }: { readonly response: ServerResponse; readonly signal: AbortSignal }): Promise<void> {
  const send = (line: object): void => {
    response.write(`${JSON.stringify(line)}\n`);
  };
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  const onProgress = throttled((progress) => {
    send({ progress });
  });
  try {
    send({ image: imageView(await images.pull({ reference, auth: undefined, onProgress }, signal)) });
  } catch (error) {
    send({ error: httpFailure(error).message });
  }
  response.end();
}
