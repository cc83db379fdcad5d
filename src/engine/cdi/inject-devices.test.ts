import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import { injectDevices } from './inject-devices.ts';

const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
const spec: OciSpec = {
  ociVersion: '1.0.2',
  process: { terminal: false, user: { uid: 1000, gid: 0, additionalGids: [7] }, args: ['sh'], env: ['A=1', 'B=2'], cwd: '/', capabilities: none, noNewPrivileges: false, oomScoreAdj: 0 },
  root: { path: 'rootfs', readonly: false },
  mounts: [{ destination: '/etc/hosts', type: 'bind', source: '/h', options: ['rbind'] }],
  annotations: {},
  linux: { namespaces: [], cgroupsPath: '/c', resources: { devices: [{ allow: false, access: 'rwm' }] }, devices: [], maskedPaths: [], readonlyPaths: [] },
};

let root: string;
let dirs: readonly string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-cdi-'));
  dirs = ['static', 'dynamic'].map((name) => join(root, name));
  for (const dir of dirs) mkdirSync(dir);
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const write = (file: string, text: string): void => {
  writeFileSync(join(root, file), text);
};
const device = (name: string, containerEdits: object) => ({ name, containerEdits });
const vendor = (devices: readonly object[], containerEdits: object = {}) => JSON.stringify({ cdiVersion: '0.6.0', kind: 'acme.example/gpu', containerEdits, devices });
const inject = (...names: readonly string[]): OciSpec => injectDevices(spec, names, dirs);
const gpu = (name: string): string => `acme.example/gpu=${name}`;

test('no device is no change, and nothing is read', () => {
  expect(injectDevices(spec, [], ['/nonesuch'])).toBe(spec);
});

test('environment, groups, mounts and hooks; a file’s own edits come once and first', () => {
  const mounts = [{ hostPath: '/opt/lib', containerPath: '/usr/lib/acme', options: ['ro'] }, { hostPath: '/opt/hosts', containerPath: '/etc/hosts', options: ['bind', 'ro'] }];
  const hooks = [{ hookName: 'createContainer', path: '/bin/ldconfig', args: ['ldconfig', '-v'], timeout: 5 }];
  write('static/acme.json', vendor([device('0', { env: ['A=9', 'GPU0=yes'] }), device('1', { env: ['GPU1=yes'] })], { env: ['ACME=all'], additionalGids: [7, 44, 0], mounts, hooks }));
  const changed = inject(gpu('0'), gpu('1'));
  expect(changed.process.env).toEqual(['B=2', 'ACME=all', 'A=9', 'GPU0=yes', 'GPU1=yes']);
  expect(changed.process.user.additionalGids).toEqual([7, 44]);
  expect(changed.mounts).toEqual([
    { destination: '/etc/hosts', type: 'bind', source: '/opt/hosts', options: ['bind', 'ro'] },
    { destination: '/usr/lib/acme', type: 'bind', source: '/opt/lib', options: ['rbind', 'ro'] },
  ]);
  expect(changed.hooks).toEqual({ createContainer: [{ path: '/bin/ldconfig', args: ['ldconfig', '-v'], env: [], timeout: 5 }] });
});

test('in a pod with a user namespace what is bound is shown with the pod’s mappings, and nothing else is', () => {
  const mounts = [{ hostPath: '/a', containerPath: '/a' }, { hostPath: '/b', containerPath: '/b', type: 'none', options: ['bind'] }, { hostPath: 'tmpfs', containerPath: '/t', type: 'tmpfs' }];
  write('static/acme.json', vendor([device('0', { mounts })]));
  const mappings = { uidMappings: [{ containerID: 0, hostID: 200_000, size: 65_536 }], gidMappings: [{ containerID: 0, hostID: 300_000, size: 65_536 }] };
  const changed = injectDevices({ ...spec, linux: { ...spec.linux, ...mappings } }, [gpu('0')], dirs);
  expect(changed.mounts.map(({ destination, uidMappings, gidMappings }) => ({ destination, uidMappings, gidMappings }))).toEqual([
    { destination: '/a', ...mappings },
    { destination: '/b', ...mappings },
    { destination: '/t', uidMappings: undefined, gidMappings: undefined },
    { destination: '/etc/hosts', uidMappings: undefined, gidMappings: undefined },
  ]);
});

test('device nodes: what the spec leaves open is read from the host, the owner is the container’s user', () => {
  write('static/acme.json', vendor([device('0', { deviceNodes: [{ path: '/dev/acme0', hostPath: '/dev/null' }, { path: '/dev/acme1', type: 'b', major: 8, minor: 1, fileMode: 0o600, uid: 5, permissions: 'r' }] })]));
  const { devices, resources } = inject(gpu('0')).linux;
  expect(devices).toEqual([
    { path: '/dev/acme0', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 1000, gid: 0 },
    { path: '/dev/acme1', type: 'b', major: 8, minor: 1, fileMode: 0o600, uid: 5, gid: 0 },
  ]);
  expect(resources.devices?.slice(1)).toEqual([
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'b', major: 8, minor: 1, access: 'r' },
  ]);
});

test('permissions "none" are a node without access, and only block and character devices have rules', () => {
  const nodes = [{ path: '/dev/acme0', type: 'c', major: 10, minor: 200, permissions: 'none' }, { path: '/dev/acme1', type: 'u', major: 10, minor: 201 }, { path: '/dev/pipe', type: 'p' }];
  write('static/acme.json', vendor([device('0', { deviceNodes: nodes })]));
  const { devices, resources } = inject(gpu('0')).linux;
  expect(devices.map(({ path, type }) => [path, type])).toEqual([['/dev/acme0', 'c'], ['/dev/acme1', 'u'], ['/dev/pipe', 'p']]);
  expect(resources.devices).toEqual(spec.linux.resources.devices);
});

test('a type and a major number are enough, since writers leave out a minor of 0', () => {
  write('static/acme.json', vendor([device('0', { deviceNodes: [{ path: '/dev/acme0', type: 'c', major: 195 }, { path: '/dev/acme1', hostPath: '/dev/null', type: 'c', major: 195 }] })]));
  expect(inject(gpu('0')).linux.devices).toMatchObject([{ type: 'c', major: 195, minor: 0 }, { type: 'c', major: 195, minor: 0 }]);
});

test.skipIf(!existsSync('/dev/console'))('a node whose numbers the spec tells has the mode of the host’s all the same', () => {
  write('static/acme.json', vendor([device('0', { deviceNodes: [{ path: '/dev/acme0', hostPath: '/dev/console', type: 'c', major: 195, minor: 1 }] })]));
  expect(inject(gpu('0')).linux.devices[0]?.fileMode).toBe(statSync('/dev/console').mode & 0o777);
});

test('a device node that is not on this node is an error', () => {
  write('static/acme.json', vendor([device('0', { deviceNodes: [{ path: '/dev/acme0' }] })]));
  expect(() => inject(gpu('0'))).toThrow('/dev/acme0');
});

test('intelRdt and network devices', () => {
  write('static/acme.json', vendor([device('0', { intelRdt: { closID: 'g', memBwSchema: 'MB:0=50' }, netDevices: [{ hostInterfaceName: 'ens1', name: 'net1' }] })]));
  expect(inject(gpu('0')).linux).toMatchObject({ intelRdt: { closID: 'g', memBwSchema: 'MB:0=50' }, netDevices: { ens1: { name: 'net1' } } });
});

test('YAML is read as JSON is, and anew at each call', () => {
  const yaml = (value: string): string => `cdiVersion: "1.0.0"\nkind: acme.example/gpu\ndevices:\n  - name: all\n    containerEdits:\n      env:\n        - "V=${value}"\n`;
  write('dynamic/acme.yaml', yaml('1'));
  expect(inject(gpu('all')).process.env).toContain('V=1');
  write('dynamic/acme.yaml', yaml('2'));
  expect(inject(gpu('all')).process.env).toContain('V=2');
});

test('the later directory wins; twice in one directory is a conflict', () => {
  write('static/a.json', vendor([device('0', { env: ['FROM=static'] })]));
  write('dynamic/a.json', vendor([device('0', { env: ['FROM=dynamic'] })]));
  expect(inject(gpu('0')).process.env).toContain('FROM=dynamic');
  write('dynamic/b.json', vendor([device('0', {})]));
  expect(() => inject(gpu('0'))).toThrow(/acme\.example\/gpu=0 is defined twice, by .*a\.json and .*b\.json/);
});

test('an unknown device is an error that names it and the files that could not be used', () => {
  write('static/bad.json', '{');
  write('static/new.json', JSON.stringify({ cdiVersion: '9.0.0', kind: 'acme.example/gpu' }));
  expect(() => inject(gpu('7'))).toThrow(/acme\.example\/gpu=7 is not known.*bad\.json.*new\.json.*9\.0\.0/);
  expect(() => inject('acme.example/gpu')).toThrow('"acme.example/gpu" is no name of a CDI device');
});

test.each<[string, object]>([
  ['a hook', { hooks: [{ hookName: 'preheat', path: '/x' }] }],
  ['an environment', { env: ['=1'] }],
  ['a node type', { deviceNodes: [{ path: '/dev/x', type: 'z' }] }],
  ['permissions', { deviceNodes: [{ path: '/dev/x', permissions: 'x' }] }],
  ['a mount', { mounts: [{ hostPath: '/a' }] }],
  ['a group', { additionalGids: [-1] }],
])('a file with %s that cannot be is not used', (_what, edits) => {
  write('static/acme.json', vendor([device('0', edits)]));
  expect(() => inject(gpu('0'))).toThrow(/not usable: device 0 of CDI spec/);
});

test('a mode in YAML is octal with a zero in front, as its writers mean it', () => {
  const node = (path: string, mode: string): string => `{ path: ${path}, type: c, major: 1, minor: 3, fileMode: ${mode} }`;
  write('static/acme.yaml', `cdiVersion: 0.6.0\nkind: acme.example/gpu\ndevices:\n- name: "0"\n  containerEdits:\n    deviceNodes: [${[node('/dev/a', '0660'), node('/dev/b', '0o660'), node('/dev/c', '432')].join(', ')}]\n`);
  expect(inject(gpu('0')).linux.devices.map(({ fileMode }) => fileMode)).toEqual([0o660, 0o660, 0o660]);
});
