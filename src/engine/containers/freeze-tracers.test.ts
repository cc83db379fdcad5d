import { afterEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { SecurityContext } from '../model/security.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { containersFixture, signal } from '../testing/containers-fixture.ts';
import type { FakeShim } from '../testing/fake-shims.ts';
import { FakeTask } from '../testing/fake-task.ts';

const fixture = containersFixture();

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const may = (add: readonly string[]): Partial<SecurityContext> => ({ capabilities: { add, drop: [], addAmbient: [] } });
const traces = may(['SYS_PTRACE']);
const shares = (change: Partial<SecurityContext> = {}): Partial<ContainerConfig> => ({ security: security({ namespaces: { ...kubeNamespaces, pid: 'pod' }, ...change }) });
const joins = (targetId: string): Partial<ContainerConfig> => ({ security: security({ namespaces: { ...kubeNamespaces, pid: 'target', targetId } }) });
const statusOf = (id: string): string => fixture.world.shims.get(id).status;

async function sharingPod(privileged = false): Promise<void> {
  fixture.pod = await fixture.engine.pods.run(podConfig('sharing', { security: security({ privileged, namespaces: { ...kubeNamespaces, pid: 'pod' } }) }), signal());
}

async function created(name: string, change: Partial<ContainerConfig>): Promise<string> {
  return (await fixture.engine.containers.create(fixture.pod.id, containerConfig(name, change), signal())).id;
}

async function running(name: string, change: Partial<ContainerConfig>): Promise<string> {
  const id = await created(name, change);
  await fixture.engine.containers.start(id, signal());
  return id;
}

/** Holds the next start where the OCI runtime works, and lets it go. */
function gated(): () => void {
  const gate = Promise.withResolvers<void>();
  fixture.world.shims.onLaunch = (shim) => {
    shim.startGate = gate.promise;
  };
  return gate.resolve;
}

const working = (id: string): Promise<FakeShim> =>
  vi.waitFor(() => {
    const shim = fixture.world.shims.get(id);
    expect(shim.status).toBe('running');
    return shim;
  });

async function statusesDuringStart(id: string, neighbours: readonly string[]): Promise<readonly string[]> {
  const go = gated();
  const start = fixture.engine.containers.start(id, signal());
  await working(id);
  const statuses = neighbours.map(statusOf);
  expect(neighbours.map((each) => fixture.engine.containers.get(each).state)).toEqual(neighbours.map(() => 'running'));
  go();
  await start;
  expect(neighbours.map(statusOf)).toEqual(neighbours.map(() => 'running'));
  return statuses;
}

test.each<[string, Partial<SecurityContext>, string]>([
  ['CAP_SYS_PTRACE', traces, 'paused'],
  ['every capability', may(['all']), 'paused'],
  ['CAP_SYS_ADMIN', may(['CAP_SYS_ADMIN']), 'paused'],
  ['ambient CAP_SYS_PTRACE', { capabilities: { add: [], drop: [], addAmbient: ['SYS_PTRACE'] } }, 'paused'],
  ['privileges', { privileged: true }, 'paused'],
  ['CAP_SYS_PTRACE as nobody', { ...traces, runAsUser: 65534 }, 'paused'],
  ['no more than usual', {}, 'running'],
])('a neighbour with %s in a shared PID namespace is, while a container starts: %#', async (_, change, status) => {
  await sharingPod(change.privileged);
  const neighbour = await running('neighbour', shares(change));
  expect(await statusesDuringStart(await created('app', shares()), [neighbour])).toEqual([status]);
});

test('who sees nothing of the start runs on', async () => {
  const own = await running('own', { security: security(traces) });
  expect(await statusesDuringStart(await created('app', shares()), [own])).toEqual(['running']);
  await sharingPod();
  const apart = await running('apart', { security: security(traces) });
  expect(await statusesDuringStart(await created('app', shares()), [apart])).toEqual(['running']);
});

test('who joins another container’s namespace starts unseen, by its target and by the others that joined', async () => {
  const target = await running('target', { security: security(traces) });
  const joined = await running('joined', joins(target));
  expect(await statusesDuringStart(await created('app', joins(joined)), [target, joined])).toEqual(['paused', 'running']);
});

test('neighbours run again after a start that failed, was given up or was stopped', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  fixture.world.shims.onLaunch = (shim) => {
    shim.startError = new BerthError('invalid', 'exec: "nope": not found');
  };
  await expect(fixture.engine.containers.start(await created('failing', shares()), signal())).rejects.toThrow('not found');
  expect(statusOf(neighbour)).toBe('running');
  gated();
  const hanging = await created('hanging', shares());
  const leaver = new AbortController();
  const start = fixture.engine.containers.start(hanging, leaver.signal);
  const shim = await working(hanging);
  const killed = vi.spyOn(shim, 'deliver').mockImplementation(() => {
    expect(statusOf(neighbour)).toBe('paused');
    shim.finish(137);
  });
  leaver.abort(new Error('the client left'));
  await expect(start).rejects.toThrow('the client left');
  expect(killed).toHaveBeenCalled();
  expect(statusOf(neighbour)).toBe('running');
});

test('a start that hangs is given up before its neighbours stand still for long', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  gated();
  const id = await created('hanging', shares());
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const start = fixture.engine.containers.start(id, new AbortController().signal);
  const failed = expect(start).rejects.toMatchObject({ kind: 'timeout', message: expect.stringContaining('10 s') });
  await vi.advanceTimersByTimeAsync(9000);
  expect([statusOf(id), statusOf(neighbour)]).toEqual(['running', 'paused']);
  await vi.advanceTimersByTimeAsync(2000);
  await failed;
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
  expect(statusOf(neighbour)).toBe('running');
});

test('where a neighbour cannot be frozen nothing starts', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  fixture.world.shims.get(neighbour).pauseError = new BerthError('internal', 'no freezer');
  const id = await created('app', shares());
  await expect(fixture.engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/no freezer/), hint: expect.stringContaining(neighbour) });
  expect(fixture.world.shims.shims.has(id)).toBe(false);
  expect(fixture.engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
  expect(statusOf(neighbour)).toBe('running');
});

test('a neighbour that ends meanwhile, or has just ended, holds up nothing', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  const shim = fixture.world.shims.get(neighbour);
  vi.spyOn(shim, 'pause').mockImplementationOnce(() => {
    shim.finish(0);
    throw new BerthError('precondition', 'it is stopped');
  });
  const go = gated();
  const id = await created('app', shares());
  const start = fixture.engine.containers.start(id, signal());
  await working(id);
  // With what it had left running.
  expect(fixture.world.shims.shims.has(neighbour)).toBe(false);
  go();
  await start;
  await fixture.exited(neighbour);
});

test('a frozen neighbour that is killed meanwhile is gone, and the start goes on', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  const go = gated();
  const id = await created('app', shares());
  const start = fixture.engine.containers.start(id, signal());
  await working(id);
  fixture.world.shims.get(neighbour).finish(137);
  await vi.waitFor(() => {
    expect(fixture.world.shims.shims.has(neighbour)).toBe(false);
  });
  go();
  await start;
  expect(fixture.engine.containers.get(id).state).toBe('running');
  await fixture.exited(neighbour);
});

test('two that start at once do so one after the other: the first may trace', async () => {
  await sharingPod();
  const go = gated();
  const [first, second] = [await created('first', shares(traces)), await created('second', shares())];
  const starts = [fixture.engine.containers.start(first, signal()), fixture.engine.containers.start(second, signal())];
  await working(first);
  expect(fixture.world.shims.shims.has(second)).toBe(false);
  const later = gated();
  go();
  await starts[0];
  await working(second);
  expect(statusOf(first)).toBe('paused');
  later();
  await starts[1];
  expect([first, second].map(statusOf)).toEqual(['running', 'running']);
});

test('an exec in a frozen neighbour waits until it runs again', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  const go = gated();
  const id = await created('app', shares());
  const start = fixture.engine.containers.start(id, signal());
  await working(id);
  const shim = fixture.world.shims.get(neighbour);
  let seen = '';
  const exec = fixture.engine.containers.execSync({ containerId: neighbour, command: ['true'], timeoutMs: 0 }, signal()).then(() => {
    seen = shim.status;
  });
  await expect(fixture.engine.containers.execSync({ containerId: neighbour, command: ['true'], timeoutMs: 0 }, AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(seen).toBe('');
  go();
  await Promise.all([start, exec]);
  expect(seen).toBe('running');
});

test('an exec that the OCI runtime refuses since a freeze came first is tried again', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  const go = gated();
  const id = await created('app', shares());
  const refused = vi.spyOn(FakeTask.prototype, 'execSync').mockImplementationOnce(async () => {
    const start = fixture.engine.containers.start(id, signal());
    await working(id);
    go();
    await start;
    throw new BerthError('internal', `crun exec: the container ${neighbour} is paused`);
  });
  const exec = (): Promise<unknown> => fixture.engine.containers.execSync({ containerId: neighbour, command: ['true'], timeoutMs: 0 }, signal());
  await expect(exec()).resolves.toMatchObject({ exitCode: 0 });
  expect(refused).toHaveBeenCalledTimes(2);
  refused.mockRejectedValueOnce(new BerthError('internal', 'the container is paused'));
  await expect(exec()).rejects.toThrow('is paused');
});

test('neighbours that a crash of berthd left frozen run again, once what the cut start left is gone', async () => {
  await sharingPod();
  const neighbour = await running('neighbour', shares(traces));
  gated();
  const id = await created('app', shares());
  void fixture.engine.containers.start(id, signal()).catch(() => undefined);
  await working(id);
  const shim = fixture.world.shims.get(id);
  shim.status = 'created';
  const removed = vi.spyOn(shim, 'end').mockImplementation(() => {
    expect(statusOf(neighbour)).toBe('paused');
    fixture.world.shims.shims.delete(id);
  });
  const engine = fixture.world.engine();
  await engine.recover();
  expect(removed).toHaveBeenCalled();
  expect(engine.containers.get(id)).toMatchObject({ state: 'exited', exit: { reason: 'StartError' } });
  expect(statusOf(neighbour)).toBe('running');
});
