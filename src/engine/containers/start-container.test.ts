import { expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { containersFixture, signal } from '../testing/containers-fixture.ts';
import type { FakeShim } from '../testing/fake-shims.ts';
import { World } from '../testing/world.ts';

const fixture = containersFixture();
const { create, running } = fixture;

test('start runs the process, with its log directory made, and explains the time', async () => {
  const id = await running({ logPath: 'app/0.log' });
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'running', task: { pid: 4242, handler: 'crun' } });
  expect(fixture.world.shims.logDirsSeen).toEqual([true]);
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(id).waterfall.map(({ name }) => name)).toEqual(expect.arrayContaining(['image', 'snapshot', 'queue', 'shim', 'oci-start', 'rootfs', 'runtime']));
  });
  await expect(fixture.engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'precondition' });
});

test('a start that fails is final, with code, reason and message', async () => {
  fixture.world.shims.onLaunch = (shim) => {
    shim.startError = new BerthError('invalid', 'exec: "nope": not found');
  };
  const { id } = await create();
  await expect(fixture.engine.containers.start(id, signal())).rejects.toThrow('not found');
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 128, reason: 'StartError', message: 'exec: "nope": not found' } });
  expect(fixture.world.shims.shims.size).toBe(0);
  await fixture.engine.containers.stop(id, 10, signal());
  await fixture.engine.containers.remove(id, signal());
  expect(fixture.world.exits).toEqual(['StartError']);
});

test('a pod that is stopped while a container waits for its turn to start wins', async () => {
  await fixture.world.close();
  fixture.world = new World({ startConcurrency: 1 });
  fixture.engine = fixture.world.engine();
  fixture.pod = await fixture.engine.pods.run(podConfig('web'), signal());
  const gate = Promise.withResolvers<void>();
  fixture.world.shims.launchGate = gate.promise;
  const other = await fixture.engine.pods.run(podConfig('other'), signal());
  const first = await fixture.engine.containers.create(other.id, containerConfig('first'), signal());
  const second = await create();
  const busy = fixture.engine.containers.start(first.id, signal());
  const waiting = fixture.engine.containers.start(second.id, signal());
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(first.id).state).toBe('starting');
  });
  await fixture.engine.pods.stop(fixture.pod.id, signal());
  gate.resolve();
  await busy;
  await expect(waiting).rejects.toMatchObject({ kind: 'precondition' });
});

test('starts that hang hold no place that another waits for', async () => {
  await fixture.world.close();
  fixture.world = new World({ startConcurrency: 2 });
  fixture.engine = fixture.world.engine();
  fixture.pod = await fixture.engine.pods.run(podConfig('web'), signal());
  const hanging = new AbortController();
  fixture.world.shims.onLaunch = (launched) => {
    launched.startGate = new Promise(() => undefined);
  };
  const hung = [];
  for (const name of ['one', 'two', 'three']) {
    const { id } = await fixture.engine.containers.create(fixture.pod.id, containerConfig(name), signal());
    hung.push(fixture.engine.containers.start(id, hanging.signal));
  }
  // The third has its place from the first two.
  await vi.waitFor(() => {
    expect(fixture.world.shims.shims.size).toBe(3);
  }, 5000);
  fixture.world.shims.onLaunch = () => undefined;
  const { id } = await fixture.engine.containers.create(fixture.pod.id, containerConfig('other'), signal());
  await fixture.engine.containers.start(id, signal());
  expect(fixture.engine.containers.get(id).state).toBe('running');
  hanging.abort(new Error('the client left'));
  expect(await Promise.allSettled(hung)).toMatchObject(hung.map(() => ({ status: 'rejected' })));
});

test('a caller who leaves during the start ends it as a failed one', async () => {
  fixture.world.shims.launchGate = new Promise(() => undefined);
  const { id } = await create();
  const abort = new AbortController();
  const start = fixture.engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(id).state).toBe('starting');
  });
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
});

test('a caller who leaves while the process comes up leaves none that runs', async () => {
  let shim: FakeShim | undefined;
  fixture.world.shims.onLaunch = (launched) => {
    shim = launched;
    launched.startGate = new Promise(() => undefined);
  };
  const { id } = await create();
  const abort = new AbortController();
  const start = fixture.engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(shim?.status).toBe('running');
  });
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' }, task: undefined });
  expect(shim?.signals).toEqual([{ signalNumber: 9, all: true }]);
  expect(fixture.world.shims.shims.size).toBe(0);
  await fixture.engine.containers.remove(id, signal());
});

test('a shim that does not answer to the undo of a failed start is buried', async () => {
  fixture.world.shims.onLaunch = (launched) => {
    launched.startGate = new Promise(() => undefined);
    launched.callMs = 50;
  };
  const { id } = await create();
  const abort = new AbortController();
  const start = fixture.engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(fixture.world.shims.get(id).status).toBe('running');
  });
  fixture.world.shims.get(id).frozen = true;
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(fixture.world.shims.shims.size).toBe(0);
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
  await fixture.engine.containers.remove(id, signal());
});

test('a container whose failed start could not be undone is not called exited before it is', async () => {
  fixture.world.shims.onLaunch = (launched) => {
    launched.startGate = new Promise(() => undefined);
    launched.callMs = 50;
  };
  const bury = vi.spyOn(fixture.world.shims, 'bury').mockRejectedValueOnce(new Error('it is stuck'));
  const { id } = await create();
  const abort = new AbortController();
  const start = fixture.engine.containers.start(id, abort.signal);
  await vi.waitFor(() => {
    expect(fixture.world.shims.get(id).status).toBe('running');
  });
  fixture.world.shims.get(id).frozen = true;
  abort.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(fixture.engine.containers.get(id).state).toBe('starting');
  fixture.world.shims.get(id).frozen = false;
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError', message: expect.stringContaining('the client left') } });
  }, 5000);
  expect(bury).toHaveBeenCalled();
  expect(fixture.world.shims.shims.size).toBe(0);
});

test('a start that hangs is ended by whoever stops the container', async () => {
  fixture.world.shims.onLaunch = (launched) => {
    launched.startGate = new Promise(() => undefined);
  };
  const { id } = await create();
  const start = fixture.engine.containers.start(id, signal());
  await vi.waitFor(() => {
    expect(fixture.world.shims.get(id).status).toBe('running');
  });
  const stop = fixture.engine.containers.stop(id, 30_000, signal());
  await expect(start).rejects.toMatchObject({ kind: 'canceled' });
  await stop;
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
});

test('a process whose start cannot be recorded is killed, and the failure is recorded when there is room again', async () => {
  let shim: FakeShim | undefined;
  fixture.world.shims.onLaunch = (launched) => {
    shim = launched;
    // The address of the shim still finds room.
    fixture.world.state.writesLeft = 1;
  };
  const { id } = await create();
  await expect(fixture.engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'exhausted' });
  expect(shim?.signals).toEqual([{ signalNumber: 9, all: true }]);
  expect(fixture.world.shims.shims.size).toBe(0);
  fixture.world.state.writesLeft = undefined;
  await vi.waitFor(() => {
    expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { exitCode: 128, reason: 'StartError', message: 'the disk is full' } });
  }, 3000);
});

test.each([0, 1])('a container whose failed start could not be recorded (room for %i more writes) can be stopped and removed once there is room', async (writes) => {
  fixture.world.shims.onLaunch = () => {
    fixture.world.state.writesLeft = writes;
  };
  const { id } = await create();
  await expect(fixture.engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'exhausted' });
  await expect(fixture.engine.containers.stop(id, 0, signal())).rejects.toMatchObject({ kind: 'exhausted' });
  fixture.world.state.writesLeft = undefined;
  await fixture.engine.containers.stop(id, 0, signal());
  expect(fixture.engine.containers.get(id).state).toBe('exited');
  await fixture.engine.containers.remove(id, signal());
  expect(fixture.world.shims.shims.size).toBe(0);
});
