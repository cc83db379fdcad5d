import { expect, test, vi } from 'vitest';
import { Background } from '../background.ts';
import { ImageCollector } from './image-collector.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

test('a swarm of requests leads to one run after the delay, and a later one to another', async () => {
  const collect = vi.fn<() => Promise<void>>(async () => undefined);
  const collector = new ImageCollector({ collect }, new Background(log), 20);
  for (let request = 0; request < 5; request += 1) collector.request();
  expect(collect).not.toHaveBeenCalled();
  await vi.waitFor(() => {
    expect(collect).toHaveBeenCalledTimes(1);
  });
  collector.request();
  await vi.waitFor(() => {
    expect(collect).toHaveBeenCalledTimes(2);
  });
});
