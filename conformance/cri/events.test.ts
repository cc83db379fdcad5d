import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerEvent } from '../fixtures/cri-types.ts';
import { CriSuite, waiting } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
});
afterAll(async () => suite.close());

type Seen = ContainerEvent & { readonly shownState: string | undefined };

/** Subscribes, and when each event arrives asks what state can be queried then. */
async function watch(enough: (seen: readonly Seen[]) => boolean, work: () => Promise<void>): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const events = suite.cri.events();
  const reading = (async () => {
    for await (const event of events) {
      const shown = await suite.cri.listContainers({ id: event.container_id });
      seen.push({ ...event, shownState: shown[0]?.state });
      if (enough(seen)) return;
    }
  })();
  // The subscription is made by the first read; a status call after it is answered later.
  await suite.cri.version();
  await work();
  await reading;
  return seen;
}

const types = (seen: readonly Seen[], id: string) => seen.filter((event) => event.container_id === id).map((event) => event.container_event_type.replaceAll(/CONTAINER_|_EVENT/g, ''));

test("a pod's and a container's life is told in order, each event after the state it tells of", async () => {
  let podId = '';
  let containerId = '';
  const seen = await watch(
    (events) => types(events, podId).includes('DELETED'),
    async () => {
      const pod = await suite.pod();
      podId = pod.id;
      containerId = await suite.trap(pod, ['exit 0', 'TERM']);
      await suite.cri.stopContainer(containerId, 5);
      await suite.cri.removeContainer(containerId);
      await suite.cri.stopPod(podId);
      await suite.cri.removePod(podId);
    },
  );
  expect(types(seen, podId)).toEqual(['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
  expect(types(seen, containerId)).toEqual(['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
  const states = seen.filter((event) => event.container_id === containerId).map(({ shownState }) => shownState);
  expect(states[2] === undefined || states[2] === 'CONTAINER_EXITED').toBe(true);
  expect(states[3]).toBeUndefined();
  const started = seen.find((event) => event.container_id === containerId && event.container_event_type === 'CONTAINER_STARTED_EVENT');
  expect(started?.pod_sandbox_status).toMatchObject({ id: podId, state: 'SANDBOX_READY' });
  expect(started?.containers_statuses.map(({ id }) => id)).toEqual([containerId]);
  expect(seen.find((event) => event.container_id === podId && event.container_event_type === 'CONTAINER_DELETED_EVENT')?.pod_sandbox_status).toBeNull();
});

test('an exit by itself is told, with the code', async () => {
  const pod = await suite.pod();
  let id = '';
  const seen = await watch(
    (events) => types(events, id).includes('STOPPED'),
    async () => {
      id = await suite.run(pod, ['sh', '-c', 'sleep 0.1; exit 9']);
    },
  );
  const stopped = seen.find((event) => event.container_id === id && event.container_event_type === 'CONTAINER_STOPPED_EVENT');
  expect(stopped?.containers_statuses).toMatchObject([{ id, state: 'CONTAINER_EXITED', exit_code: 9, reason: 'Error' }]);
});

test('a pod that is stopped is told of after the containers that ran in it', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  const seen = await watch((events) => types(events, pod.id).includes('STOPPED'), async () => suite.cri.stopPod(pod.id));
  const stopped = seen.filter((event) => event.container_event_type === 'CONTAINER_STOPPED_EVENT');
  expect(stopped.map((event) => event.container_id)).toEqual([id, pod.id]);
  expect(stopped[1]?.containers_statuses).toMatchObject([{ id, state: 'CONTAINER_EXITED' }]);
});

test('every subscriber hears every event', async () => {
  const pod = await suite.pod({ metadata: { name: 'both', namespace: 'default', uid: 'both', attempt: 0 } });
  let id = '';
  const listen = async () => watch((events) => types(events, id).includes('STARTED'), async () => undefined);
  const listeners = Promise.all([listen(), listen()]);
  await suite.cri.version();
  id = await suite.run(pod, [...waiting]);
  for (const seen of await listeners) expect(types(seen, id)).toEqual(['CREATED', 'STARTED']);
});

test('who subscribes late hears what nobody has heard; who subscribes after that does not', async () => {
  const pod = await suite.pod({ metadata: { name: 'early', namespace: 'default', uid: 'early', attempt: 0 } });
  const id = await suite.run(pod, [...waiting]);
  const first = await watch((events) => types(events, id).includes('STARTED'), async () => undefined);
  expect(types(first, pod.id)).toEqual(['CREATED', 'STARTED']);
  expect(types(first, id)).toEqual(['CREATED', 'STARTED']);
  const second = await watch((events) => types(events, id).includes('STOPPED'), async () => suite.cri.stopContainer(id));
  expect(types(second, id)).toEqual(['STOPPED']);
  expect(types(second, pod.id)).toEqual([]);
});

test('what ended while berthd was away is told to the first subscriber', async () => {
  const pod = await suite.pod({ metadata: { name: 'away', namespace: 'default', uid: 'away', attempt: 0 } });
  const id = await suite.run(pod, ['sh', '-c', 'sleep 0.7; exit 3']);
  await suite.node.kill();
  await sleep(1500);
  await suite.node.startAgain();
  const seen = await watch((events) => types(events, id).includes('STOPPED'), async () => undefined);
  const told = seen.find((event) => event.container_id === id && event.container_event_type === 'CONTAINER_STOPPED_EVENT');
  expect(told?.containers_statuses).toMatchObject([{ id, state: 'CONTAINER_EXITED', exit_code: 3 }]);
  expect(told?.pod_sandbox_status).toMatchObject({ id: pod.id, state: 'SANDBOX_READY' });
});
