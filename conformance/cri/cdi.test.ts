import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let specs: string;

beforeAll(async () => {
  specs = mkdtempSync(join(tmpdir(), 'berth-cdi-'));
  suite = await CriSuite.start({ containers: { cdi_spec_dirs: [specs] } });
  pod = await suite.pod();
});
afterEach(async () => {
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
});
afterAll(async () => {
  await suite.close();
  rmSync(specs, { recursive: true });
});

const write = (file: string, text: string): void => {
  writeFileSync(join(specs, file), text);
};
const run = async (over: Partial<ContainerConfig>, command: string): Promise<string> => {
  const id = await suite.run(pod, [...waiting], over);
  const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', command]);
  return stdout.toString() + stderr.toString();
};
const asking = (name: string) => ({ CDI_devices: [{ name }] });

test('a device of a JSON spec brings its node, mount, environment, groups and hook', async () => {
  const library = join(suite.node.scratch.dir, 'library');
  mkdirSync(library);
  writeFileSync(join(library, 'libacme.so'), 'elf');
  const mark = join(suite.node.scratch.dir, 'hook-ran');
  write('acme.json', JSON.stringify({
    cdiVersion: '0.6.0',
    kind: 'acme.example/gpu',
    containerEdits: { env: ['ACME_VISIBLE=yes'], mounts: [{ hostPath: library, containerPath: '/usr/lib/acme', options: ['ro', 'rbind'] }] },
    devices: [{ name: '0', containerEdits: { deviceNodes: [{ path: '/dev/acme0', hostPath: '/dev/null' }], additionalGids: [4242], hooks: [{ hookName: 'createRuntime', path: '/bin/sh', args: ['sh', '-c', `cat > ${mark}`] }] } }],
  }));
  const said = await run(asking('acme.example/gpu=0'), 'echo $ACME_VISIBLE; cat /usr/lib/acme/libacme.so; echo; echo x > /dev/acme0 && stat -c %t:%T /dev/acme0; id -G; test -e /usr/lib/acme/x || touch /usr/lib/acme/x');
  expect(said).toMatch(/^yes\nelf\n1:3\n0 (\d+ )*4242\n.*Read-only file system/);
  expect(JSON.parse(readFileSync(mark, 'utf8'))).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test('a device node without permissions is there and cannot be opened', async () => {
  const node = (path: string, minor: number, more: object = {}): object => ({ path, type: 'c', major: 10, minor, ...more });
  const deviceNodes = [node('/dev/acme-none', 202, { permissions: 'none' }), node('/dev/acme-free', 201)];
  write('none.json', JSON.stringify({ cdiVersion: '1.1.0', kind: 'acme.example/none', devices: [{ name: '0', containerEdits: { deviceNodes } }] }));
  const said = await run(asking('acme.example/none=0'), 'stat -c %t:%T /dev/acme-none; for node in none free; do cat /dev/acme-$node; done');
  expect(said).toMatch(/^a:ca\n.*acme-none.*Operation not permitted\n.*acme-free.*No such device/);
});

test('a device of a YAML spec is asked for by annotation, and specs are read anew for each container', async () => {
  const yaml = (value: string): string => `cdiVersion: "0.7.0"\nkind: acme.example/net\ndevices:\n- name: fast\n  containerEdits:\n    env:\n    - ACME_NET=${value}\n`;
  write('net.yaml', yaml('first'));
  const annotations = { 'cdi.k8s.io/some-plugin': 'acme.example/net=fast' };
  expect(await run({ annotations }, 'echo $ACME_NET')).toBe('first\n');
  write('net.yaml', yaml('second'));
  expect(await run({ annotations }, 'echo $ACME_NET')).toBe('second\n');
});

test('a device that is asked for twice comes once', async () => {
  const mark = join(suite.node.scratch.dir, 'hook-runs');
  write('once.json', JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.example/once', devices: [{ name: 'a', containerEdits: { hooks: [{ hookName: 'createRuntime', path: '/bin/sh', args: ['sh', '-c', `echo ran >> ${mark}`] }] } }] }));
  const name = 'acme.example/once=a';
  const over = { CDI_devices: [{ name }, { name }], annotations: { 'cdi.k8s.io/some-plugin': name } };
  await suite.run(pod, [...waiting], over);
  expect(readFileSync(mark, 'utf8')).toBe('ran\n');
});

test('a device that is unknown, misspelt or defined twice fails CreateContainer by its name and leaves nothing', async () => {
  const twice = JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.example/twice', devices: [{ name: 'a', containerEdits: { env: ['A=1'] } }] });
  write('one.json', twice);
  write('two.json', twice);
  for (const [name, words] of [['acme.example/gpu=none', /gpu=none is not known/], ['acme', /"acme" is no name/], ['acme.example/twice=a', /twice=a is defined twice/]] as const) {
    await expect(suite.create(pod, ['true'], asking(name))).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT, details: expect.stringMatching(words) });
  }
  expect(await suite.cri.listContainers()).toEqual([]);
});
