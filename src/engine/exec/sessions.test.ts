import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningEngine } from '../engine.ts';
import type { ContainerConfig } from '../model/container.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const streams = { stdin: true, stdout: true, stderr: true, tty: false };

let world: World;
let engine: RunningEngine;

beforeEach(() => {
  world = new World();
  engine = world.engine();
});

afterEach(async () => {
  await world.close();
});

async function running(change: Partial<ContainerConfig> = {}): Promise<string> {
  const pod = await engine.pods.run(podConfig('web'), signal());
  const { id } = await engine.containers.create(pod.id, containerConfig('app', change), signal());
  await engine.containers.start(id, signal());
  return id;
}

test('an exec is a process as the container has it, with a terminal when asked', async () => {
  const id = await running({ workingDir: '/srv' });
  const session = await engine.containers.exec({ containerId: id, command: ['sh'], streams: { ...streams, tty: true } }, signal());
  if (session.stdout === undefined) throw new Error('no stdout');
  expect(JSON.parse(await text(session.stdout))).toMatchObject({ args: ['sh'], cwd: '/srv', terminal: true });
  // With a terminal there is one output.
  expect(session.stderr).toBeUndefined();
});

test('attaching follows the container: its terminal, and its stdin where it has one', async () => {
  const plain = await engine.containers.attach(await running(), streams, signal());
  expect([plain.stdin === undefined, plain.stdout === undefined, plain.stderr === undefined]).toEqual([true, false, false]);
});

test('a terminal of the container leaves an attachment one output', async () => {
  const session = await engine.containers.attach(await running({ tty: true, stdin: true }), streams, signal());
  expect([session.stdin === undefined, session.stderr === undefined]).toEqual([false, true]);
});

test.each([
  [{ tty: false, stdinOnce: false }, true],
  [{ tty: false, stdinOnce: true }, false],
  [{ tty: true, stdinOnce: false }, true],
  [{ tty: true, stdinOnce: true }, true],
])('an attachment to a container with %j ends with its input: %j', async (change, ends) => {
  const id = await running({ stdin: true, ...change });
  await engine.containers.attach(id, streams, signal());
  expect(world.shims.get(id)?.attachments).toMatchObject([{ endsWithInput: ends }]);
});

test('a container that does not run has no streams', async () => {
  const id = await running();
  await engine.containers.stop(id, 0, signal());
  await expect(engine.containers.exec({ containerId: id, command: ['sh'], streams }, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(engine.containers.attach(id, streams, signal())).rejects.toMatchObject({ kind: 'precondition' });
  await expect(engine.containers.attach('feed', streams, signal())).rejects.toMatchObject({ kind: 'not-found' });
});

test('a port is forwarded in the network namespace of its pod', async () => {
  const pod = await engine.pods.run(podConfig('web'), signal());
  await engine.pods.forward(pod.id, world.agent.listening, signal());
  expect(world.agent.forwarded.at(-1)?.netnsPath).toContain(pod.id);
  const namespaces = { ...kubeNamespaces, network: 'node' } as const;
  const host = await engine.pods.run(podConfig('host', { security: security({ namespaces }) }), signal());
  await engine.pods.forward(host.id, world.agent.listening, signal());
  expect(world.agent.forwarded.at(-1)?.netnsPath).toBe('');
  await expect(engine.pods.forward(pod.id, 81, signal())).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining(`nothing listens on port 81 in pod ${pod.id}`) as unknown });
  await engine.pods.stop(pod.id, signal());
  await expect(engine.pods.forward(pod.id, world.agent.listening, signal())).rejects.toMatchObject({ kind: 'precondition' });
});
