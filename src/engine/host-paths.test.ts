import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { HostPath, LookRequest } from '../agent/port.ts';
import { BerthError } from '../lib/errors.ts';
import { HostPaths } from './host-paths.ts';

const found: HostPath = { path: '/real', problem: '', kind: 'file', content: new Uint8Array(0), devices: [] };

/** An agent whose answers come when the test says so. */
class SlowAgent {
  readonly asked: { readonly request: LookRequest; readonly answer: PromiseWithResolvers<HostPath> }[] = [];

  async lookAtPath(request: LookRequest): Promise<HostPath> {
    const answer = Promise.withResolvers<HostPath>();
    this.asked.push({ request, answer });
    return answer.promise;
  }
}

let agent: SlowAgent;
let paths: HostPaths;
beforeEach(() => {
  vi.useFakeTimers();
  agent = new SlowAgent();
  paths = new HostPaths(agent);
});
afterEach(() => {
  vi.useRealTimers();
});

const { signal } = new AbortController();
const forgotten = (path: string): void => void paths.look({ path }, signal).catch(() => undefined);

test('who asks again for a path that does not answer takes no further thread, also when the first has left', async () => {
  const first = new AbortController();
  const left = expect(paths.look({ path: '/hung/a' }, first.signal)).rejects.toMatchObject({ kind: 'timeout', message: expect.stringContaining('/hung/a'), hint: expect.stringContaining('umount') });
  first.abort(new BerthError('timeout', 'late'));
  await left;
  const second = paths.look({ path: '/hung/a' }, signal);
  expect(agent.asked).toHaveLength(1);
  agent.asked[0]?.answer.resolve(found);
  expect(await second).toBe(found);
});

test('an answer is not kept: the next one looks again', async () => {
  const once = paths.look({ path: '/a' }, signal);
  agent.asked[0]?.answer.resolve(found);
  await once;
  forgotten('/a');
  expect(agent.asked).toHaveLength(2);
});

test('a client that hung up is told so, and the agent\'s failure is passed on and forgotten', async () => {
  const caller = new AbortController();
  const canceled = expect(paths.look({ path: '/hung' }, caller.signal)).rejects.toMatchObject({ kind: 'canceled', message: expect.stringContaining('/hung') });
  caller.abort(new BerthError('canceled', 'gone'));
  await canceled;
  const failed = expect(paths.look({ path: '/hung' }, signal)).rejects.toMatchObject({ kind: 'unavailable' });
  agent.asked[0]?.answer.reject(new BerthError('unavailable', 'the agent ended'));
  await failed;
  forgotten('/hung');
  expect(agent.asked).toHaveLength(2);
});

test('when all threads are stuck the next path is refused at once with some of those, and again taken once one answers', async () => {
  for (let number = 0; number < 64; number += 1) forgotten(`/hung/${number}`);
  vi.advanceTimersByTime(2000);
  await expect(paths.look({ path: '/fine' }, signal)).rejects.toMatchObject({ kind: 'exhausted', message: expect.stringMatching(/\/fine.*64 other paths.*\/hung\/0, \/hung\/1/) });
  agent.asked[7]?.answer.resolve(found);
  await vi.advanceTimersByTimeAsync(0);
  const fine = paths.look({ path: '/fine' }, signal);
  agent.asked[64]?.answer.resolve(found);
  expect(await fine).toBe(found);
});

test('many that are being looked at and not stuck hold up nobody', () => {
  for (let number = 0; number < 200; number += 1) forgotten(`/a/${number}`);
  expect(agent.asked).toHaveLength(200);
});
