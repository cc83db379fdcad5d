import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { event } from './events.ts';
import { NriPlugins } from './nri-plugins.ts';
import { noCpu } from './resources.ts';
import { container, pod, resources, spec, wish } from './testing/subjects.ts';
import { PluginPeer } from './testing/plugin-peer.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const subject = { pod, container };

let directory: string;
let nri: NriPlugins;
let peers: PluginPeer[];
let changes: string[];
let warnings: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-nri-'));
  [peers, changes, warnings] = [[], [], []];
  const log = { info: () => undefined, warn: (_: unknown, message: string) => warnings.push(message), error: () => undefined };
  nri = new NriPlugins(log, { socket: join(directory, 'nri.sock'), version: '1', registrationTimeoutMs: 1500, requestTimeoutMs: 300 });
  await nri.open({
    pods: () => [pod],
    containers: () => [container],
    update: async (id, wanted) => {
      if (id === 'broken') throw new Error('cannot');
      changes.push(`update ${id} ${JSON.stringify(wanted)}`);
    },
    evict: async (id, reason) => {
      changes.push(`evict ${id} ${reason}`);
    },
  });
});

afterEach(async () => {
  for (const peer of peers) peer.close();
  await nri.close();
  rmSync(directory, { recursive: true, force: true });
});

type Handlers = Parameters<typeof PluginPeer.connect>[1];

/** A plugin that wants `events` and answers what `more` says besides. */
async function joined(events: number, more: Handlers = (routes) => routes, index = '10'): Promise<PluginPeer> {
  const before = warnings.length;
  const synchronized = Promise.withResolvers<void>();
  const peer = await PluginPeer.connect(join(directory, 'nri.sock'), (routes, plugin) =>
    more(
      routes
        .handle(plugin.configure, async () => ({ events }))
        .handle(plugin.synchronize, async ({ more: another }) => {
          synchronized.resolve();
          return { update: [], more: another };
        })
        .handle(plugin.shutdown, async () => ({})),
      plugin,
    ),
  );
  peers.push(peer);
  await peer.register('peer', index);
  await Promise.race([synchronized.promise, vi.waitFor(() => { expect(warnings.length).toBeGreaterThan(before); }, 2000)]);
  return peer;
}

const bit = (number: number): number => 1 << (number - 1);

test('without plugins there is nothing to call', () => {
  expect(nri.active).toBe(false);
});

test('a plugin that joins may look at what exists for longer than it may take for an answer', async () => {
  const looking = Promise.withResolvers<void>();
  const slow = await PluginPeer.connect(join(directory, 'nri.sock'), (routes, plugin) =>
    routes
      .handle(plugin.configure, async () => ({ events: bit(event.runPod) }))
      .handle(plugin.synchronize, async () => {
        await sleep(500);
        looking.resolve();
        return { update: [], more: false };
      })
      .handle(plugin.stateChange, async () => ({}))
      .handle(plugin.shutdown, async () => ({})),
  );
  peers.push(slow);
  await slow.register('slow', '10');
  await looking.promise;
  // Heard in turn, so after the answer.
  await nri.podEvent('run', pod, signal());
  expect(nri.active).toBe(true);
  expect(warnings).toEqual([]);
});

test('an old plugin hears of events by StateChange', async () => {
  const heard: string[] = [];
  await joined(bit(event.runPod) | bit(event.postStartContainer), (routes, plugin) =>
    routes.handle(plugin.stateChange, async (message) => {
      heard.push(`${message.event} ${message.pod.name} ${message.container?.name ?? '-'}`);
      return {};
    }),
  );
  await nri.podEvent('run', pod, signal());
  await nri.containerEvent('post-start', subject, signal());
  await nri.podEvent('stop', pod, signal());
  expect(heard).toEqual(['1 web -', '7 web main']);
});

test('a subscription to events that do not exist is refused', async () => {
  await joined(1 << 20);
  expect(nri.active).toBe(false);
  expect(warnings).toEqual(['an NRI plugin could not join']);
});

test('evictions and updates in answers are made', async () => {
  const update = [{ containerId: 'other', linux: { resources: null }, ignoreFailure: false }];
  const evict = [{ containerId: 'victim', reason: 'room' }];
  await joined(bit(event.createContainer) | bit(event.updateContainer), (routes, plugin) =>
    routes
      .handle(plugin.createContainer, async () => ({ adjust: wish({ annotations: { a: 'b' } }), update, evict }))
      .handle(plugin.updateContainer, async () => ({ update, evict })),
  );
  const { spec: adjusted } = await nri.createContainer({ ...subject, spec }, signal());
  expect(adjusted.annotations).toEqual({ here: 'before', a: 'b' });
  expect(await nri.updateContainer(subject, { cpu: { shares: 5 } }, signal())).toMatchObject({ cpu: { shares: 5 } });
  expect(changes).toEqual(['evict victim room', 'update other {}', 'evict victim room', 'update other {}']);
});

test('updates that a plugin asks for by itself: it hears which of them failed', async () => {
  const peer = await joined(0);
  const update = (containerId: string, ignoreFailure = false) => ({ containerId, linux: { resources: null }, ignoreFailure });
  const failed = await peer.updateContainers([update('fine'), update('broken'), update('broken', true)]);
  expect(failed.map(({ containerId }) => containerId)).toEqual(['broken']);
  expect(changes).toEqual(['update fine {}']);
});

test('one plugin is asked one thing at a time, in the order of the calls', async () => {
  let [inside, most] = [0, 0];
  const order: string[] = [];
  await joined(bit(event.runPod), (routes, plugin) =>
    routes.handle(plugin.pod.run, async ({ pod: { name } }) => {
      inside += 1;
      most = Math.max(most, inside);
      order.push(name);
      await new Promise((resolve) => { setTimeout(resolve, 10); });
      inside -= 1;
      return {};
    }),
  );
  await Promise.all(['a', 'b', 'c'].map((name) => nri.podEvent('run', { ...pod, name }, signal())));
  expect([most, order]).toEqual([1, ['a', 'b', 'c']]);
});

test('a caller that leaves waits no longer, and the plugin stays', async () => {
  const gate = Promise.withResolvers<object>();
  await joined(bit(event.runPod), (routes, plugin) => routes.handle(plugin.pod.run, async () => gate.promise as Promise<Record<string, never>>));
  const caller = new AbortController();
  const waiting = nri.podEvent('run', pod, caller.signal);
  caller.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
  gate.resolve({});
  expect(nri.active).toBe(true);
});

test('a plugin that times out is disconnected and those that wait in line go on at once', async () => {
  const asked = vi.fn(async () => new Promise<never>(() => undefined));
  await joined(bit(event.runPod), (routes, plugin) => routes.handle(plugin.pod.run, asked));
  await Promise.all([1, 2, 3, 4].map(() => nri.podEvent('run', pod, signal())));
  expect(asked).toHaveBeenCalledTimes(1);
  expect(nri.active).toBe(false);
});

test('a plugin that hangs is disconnected although none of its callers waits that long', async () => {
  const asked = vi.fn(async () => new Promise<never>(() => undefined));
  await joined(bit(event.runPod), (routes, plugin) => routes.handle(plugin.pod.run, asked));
  for (const ms of [20, 20]) await expect(nri.podEvent('run', pod, AbortSignal.timeout(ms))).rejects.toMatchObject({ name: 'TimeoutError' });
  await nri.podEvent('run', pod, signal());
  expect(asked).toHaveBeenCalledTimes(1);
  expect(nri.active).toBe(false);
});

test('an error of a plugin names it', async () => {
  await joined(bit(event.runPod), (routes, plugin) =>
    routes.handle(plugin.pod.run, async () => {
      throw new Error('not today');
    }),
  );
  await expect(nri.podEvent('run', pod, signal())).rejects.toMatchObject({ kind: 'precondition', message: 'NRI plugin 10-peer failed RunPodSandbox: not today' });
  expect(nri.active).toBe(true);
});

const fails = async (): Promise<never> => {
  throw new Error('not today');
};

test('an error on what cannot be refused hides it from no other plugin', async () => {
  const heard: string[] = [];
  const events = bit(event.stopPod) | bit(event.removePod) | bit(event.postStartContainer) | bit(event.removeContainer) | bit(event.stopContainer);
  await joined(events, (routes, plugin) =>
    routes.handle(plugin.pod.stop, fails).handle(plugin.pod.remove, fails).handle(plugin.container['post-start'], fails).handle(plugin.container.remove, fails).handle(plugin.stopContainer, fails),
  );
  const hears = (what: string) => async (): Promise<Record<string, never>> => {
    heard.push(what);
    return {};
  };
  await joined(events, (routes, plugin) =>
    routes
      .handle(plugin.pod.stop, hears('stop-pod'))
      .handle(plugin.pod.remove, hears('remove-pod'))
      .handle(plugin.container['post-start'], hears('post-start'))
      .handle(plugin.container.remove, hears('remove'))
      .handle(plugin.stopContainer, async () => {
        heard.push('stop');
        return { update: [{ containerId: 'other', linux: { resources: null }, ignoreFailure: false }] };
      }), '20',
  );
  const refused = 'NRI plugin 10-peer failed';
  await expect(nri.containerEvent('post-start', subject, signal())).rejects.toThrow(refused);
  await expect(nri.stopContainer(subject, signal())).rejects.toThrow(refused);
  await expect(nri.containerEvent('remove', subject, signal())).rejects.toThrow(refused);
  await expect(nri.podEvent('stop', pod, signal())).rejects.toThrow(refused);
  await expect(nri.podEvent('remove', pod, signal())).rejects.toThrow(refused);
  expect(heard).toEqual(['post-start', 'stop', 'remove', 'stop-pod', 'remove-pod']);
  expect(changes).toEqual(['update other {}']);
});

test('whether something may happen is asked until a plugin refuses', async () => {
  const second = vi.fn(async () => ({}));
  const events = bit(event.runPod) | bit(event.startContainer);
  await joined(events, (routes, plugin) => routes.handle(plugin.pod.run, fails).handle(plugin.container.start, fails));
  await joined(events, (routes, plugin) => routes.handle(plugin.pod.run, second).handle(plugin.container.start, second), '20');
  await expect(nri.podEvent('run', pod, signal())).rejects.toThrow('not today');
  await expect(nri.containerEvent('start', subject, signal())).rejects.toThrow('not today');
  expect(second).not.toHaveBeenCalled();
});

test('updates at the end of a container are made but for those in conflict', async () => {
  const shares = (containerId: string, value: bigint) => ({ containerId, linux: { resources: resources({ cpu: { ...noCpu, shares: { value } } }) }, ignoreFailure: false });
  await joined(bit(event.stopContainer), (routes, plugin) => routes.handle(plugin.stopContainer, async () => ({ update: [shares('a', 5n)] })));
  await joined(bit(event.stopContainer), (routes, plugin) => routes.handle(plugin.stopContainer, async () => ({ update: [shares('a', 6n), shares('b', 7n)] })), '20');
  await expect(nri.stopContainer(subject, signal())).rejects.toThrow('both tried to set the CPU shares of container a');
  expect(changes).toEqual(['update a {"cpu":{"shares":5}}', 'update b {"cpu":{"shares":7}}']);
});

test('a plugin that cannot take what exists in parts is sent away', async () => {
  const big = 'x'.repeat(2 << 20);
  const nextHost = { pods: () => [pod, { ...pod, labels: { big } }, { ...pod, labels: { big } }], containers: () => [], update: async () => undefined, evict: async () => undefined };
  const other = new NriPlugins({ info: () => undefined, warn: (_: unknown, message: string) => warnings.push(message), error: () => undefined }, { socket: join(directory, 'other.sock'), version: '1', registrationTimeoutMs: 500, requestTimeoutMs: 300 });
  await other.open(nextHost);
  try {
    const peer = await PluginPeer.connect(join(directory, 'other.sock'), (routes, plugin) =>
      routes.handle(plugin.configure, async () => ({ events: 0 })).handle(plugin.synchronize, async () => ({ update: [], more: false })),
    );
    peers.push(peer);
    await peer.register('old', '10');
    await vi.waitFor(() => { expect(warnings).toEqual(['an NRI plugin could not join']); });
    expect(other.active).toBe(false);
  } finally {
    await other.close();
  }
});
