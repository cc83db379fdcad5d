import { afterEach, expect, test, vi } from 'vitest';
import type { RunningEngine } from './engine.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from './testing/configs.ts';
import { fakeImage } from './testing/fake-images.ts';
import { Faults, type FaultMode } from './testing/faults.ts';
import { World } from './testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const mount = { containerPath: '/data', hostPath: '', readonly: true, recursiveReadOnly: false, selinuxRelabel: false, propagation: 'private', uidMappings: [], gidMappings: [], imageSubPath: '' } as const;

const pod = podConfig('web', { security: security({ namespaces: { ...kubeNamespaces, pid: 'pod' } }) });
const container = containerConfig('app', { image: 'registry.test/db:1', mounts: [{ ...mount, image: 'registry.test/app:1' }] });

interface Scene {
  readonly world: World;
  readonly faults: Faults;
  readonly engine: RunningEngine;
}

type Verb = (scene: Scene) => Promise<unknown>;

const runPod: Verb = ({ engine }) => engine.pods.run(pod, signal());
const create: Verb = ({ engine }) => engine.containers.create(engine.pods.list()[0]?.id ?? '', container, signal());
const start: Verb = ({ engine }) => engine.containers.start(engine.containers.list()[0]?.id ?? '', signal());
const stopPod: Verb = ({ engine }) => engine.pods.stop(engine.pods.list()[0]?.id ?? '', signal());
const removePod: Verb = ({ engine }) => engine.pods.remove(engine.pods.list()[0]?.id ?? '', signal());

/** Each verb with what has to be there before. */
const verbs: readonly (readonly [string, Verb, readonly Verb[]])[] = [
  ['run-pod', runPod, []],
  ['create-container', create, [runPod]],
  ['start-container', start, [runPod, create]],
  ['stop-pod', stopPod, [runPod, create, start]],
  ['remove-pod', removePod, [runPod, create, start]],
];

const worlds: World[] = [];

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});

async function scene(before: readonly Verb[]): Promise<Scene> {
  const world = new World();
  worlds.push(world);
  world.images.images.push(fakeImage('db', { volumes: ['/var/lib/db'] }));
  const faults = new Faults();
  const made = { world, faults, engine: world.engine(faults) };
  for (const verb of before) await verb(made);
  return made;
}

/** Does something for each driver call that the verb makes when all goes well. */
async function forEachCall(verb: Verb, before: readonly Verb[], work: (call: number) => Promise<void>): Promise<void> {
  const made = await scene(before);
  made.faults.arm([], 'before');
  await verb(made);
  const count = made.faults.calls.length;
  expect(count).toBeGreaterThan(0);
  await Promise.all(Array.from({ length: count }, (_, index) => work(index + 1)));
}

const settled = (work: Promise<unknown>): Promise<boolean> => work.then(() => true, () => false);

async function removeAll(engine: RunningEngine): Promise<void> {
  await Promise.all(engine.pods.list().map(({ id }) => engine.pods.remove(id, signal())));
}

async function expectNothing(world: World): Promise<void> {
  await vi.waitFor(() => {
    expect(world.leftovers()).toEqual([]);
  }, 4000);
}

/** A launch that fails leaves nothing, says its contract, so its answer cannot be lost. */
const canLose = (calls: readonly string[], index: number): boolean => calls[index - 1] !== 'shims.launch';

/** What an attempt may leave: a failed start is final, and a volume's image stays mounted for the pod's next container. */
const mayStay = (item: string): boolean => item.startsWith('mount ') || item.startsWith('snapshot volume-');

test.each(verbs.slice(0, 3))('%s: when any driver call fails, nothing is left of the attempt', async (name, verb, before) => {
  for (const mode of ['before', 'after'] satisfies FaultMode[]) {
    await forEachCall(verb, before, async (call) => {
      const made = await scene(before);
      const standing = made.world.leftovers();
      made.faults.arm([call], mode);
      const worked = await settled(verb(made));
      const where = `${mode} call ${call}, ${made.faults.calls[call - 1]}`;
      if (mode === 'after' && !canLose(made.faults.calls, call)) return;
      expect(worked, where).toBe(false);
      const left = made.world.leftovers().filter((item) => !standing.includes(item) && (name === 'run-pod' || !mayStay(item)));
      expect(left, where).toEqual([]);
      await removeAll(made.engine);
      await expectNothing(made.world);
    });
  }
}, 60_000);

test.each(verbs)('%s: when a call and the undo after it fail, a client can still remove everything', async (_, verb, before) => {
  await forEachCall(verb, before, async (call) => {
    const made = await scene(before);
    made.faults.arm([call, call + 1], 'before');
    await settled(verb(made));
    made.faults.disarm();
    await removeAll(made.engine);
    await expectNothing(made.world);
    expect(made.engine.pods.list()).toEqual([]);
  });
}, 60_000);

test.each(verbs)('%s: when berthd dies in any call, the next one cleans up or carries on', async (_, verb, before) => {
  await forEachCall(verb, before, async (call) => {
    const made = await scene(before);
    made.faults.arm([call], 'crash');
    void settled(verb(made));
    await vi.waitFor(() => {
      expect(made.faults.calls.length).toBeGreaterThanOrEqual(call);
    });
    const next = made.world.engine();
    await next.recover();
    await removeAll(next);
    await expectNothing(made.world);
  });
}, 60_000);

test('a full disk fails the request and leaves nothing', async () => {
  for (let writes = 0; writes < 4; writes += 1) {
    const made = await scene([]);
    made.world.state.writesLeft = writes;
    const worked = await settled(runPod(made));
    made.world.state.writesLeft = undefined;
    expect(worked).toBe(false);
    await removeAll(made.engine);
    await expectNothing(made.world);
  }
});
