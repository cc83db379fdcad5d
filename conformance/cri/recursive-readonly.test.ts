import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { modernRuntime, noModernRuntime } from './modern-runtime.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

describe.skipIf(noModernRuntime !== undefined)('recursive_read_only', () => {
  let suite: CriSuite;
  let pod: SuitePod;
  let outer: string;

  /** Runs on the host as berthd sees it: it has a mount namespace of its own here. */
  const onHost = (...command: string[]): void => {
    execFileSync('nsenter', ['-t', String(suite.node.namespace.pid), '--mount', '--', ...command]);
  };

  beforeAll(async () => {
    suite = await CriSuite.start(await modernRuntime());
    pod = await suite.pod();
    outer = join(suite.node.scratch.dir, 'outer');
    for (const path of [outer, join(outer, 'inner')]) mkdirSync(path);
    onHost('mount', '-t', 'tmpfs', 'tmpfs', join(outer, 'inner'));
  }, 300_000);
  afterEach(async () => {
    for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
  });
  // The mount goes with the daemon's mount namespace.
  afterAll(async () => suite.close());

  const touch = async (mount: object): Promise<string> => {
    const id = await suite.run(pod, [...waiting], { mounts: [{ container_path: '/vol', host_path: outer, ...mount }] });
    const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', 'touch /vol/x; touch /vol/inner/x && echo below']);
    expect((await suite.cri.containerStatus(id)).mounts[0]).toMatchObject(mount);
    return stdout.toString() + stderr.toString();
  };

  test('plain read-only leaves mounts below writable', async () => {
    expect(await touch({ readonly: true, recursive_read_only: false })).toMatch(/^below\ntouch: \/vol\/x: Read-only file system\n$/);
  });

  test('it reaches mounts below', async () => {
    expect(await touch({ readonly: true, recursive_read_only: true })).toMatch(/x: Read-only file system\ntouch: \/vol\/inner\/x: Read-only file system\n$/);
  });

  test.each<[string, object]>([
    ['a writable mount', { readonly: false }],
    ['host to container', { readonly: true, propagation: 'PROPAGATION_HOST_TO_CONTAINER' }],
    ['bidirectional', { readonly: true, propagation: 'PROPAGATION_BIDIRECTIONAL' }],
  ])('with %s it is refused at CreateContainer', async (_what, mount) => {
    const mounts = [{ container_path: '/vol', host_path: outer, recursive_read_only: true, ...mount }];
    await expect(suite.create(pod, ['true'], { mounts })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringMatching(/read-only with all below it/) });
  });
});
