import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { parseImageConfig } from './image-config.ts';

const parse = (value: unknown): ReturnType<typeof parseImageConfig> => parseImageConfig(Buffer.from(JSON.stringify(value)), 'config');
const rootfs = { type: 'layers', diff_ids: [digestOf('a')] };

test('the fields a runtime needs', () => {
  const { runtime, diffIds, platform } = parse({
    os: 'linux',
    architecture: 'arm64',
    variant: 'v8',
    rootfs,
    config: { User: '1:2', Env: ['A=b'], Entrypoint: ['/e'], Cmd: ['c'], WorkingDir: '/w', Volumes: { '/data': {} }, StopSignal: 'SIGQUIT', Labels: { l: 'v' } },
  });
  expect(runtime).toEqual({ user: '1:2', env: ['A=b'], entrypoint: ['/e'], cmd: ['c'], workingDir: '/w', volumes: ['/data'], stopSignal: 'SIGQUIT', labels: { l: 'v' } });
  expect(diffIds).toEqual([digestOf('a')]);
  expect(platform).toEqual({ os: 'linux', architecture: 'arm64', variant: 'v8' });
});

test('Docker writes null where it means nothing', () => {
  const { runtime } = parse({ rootfs, config: { Env: null, Entrypoint: null, Cmd: null, Volumes: null, Labels: null } });
  expect(runtime).toEqual({ user: '', env: [], entrypoint: [], cmd: [], workingDir: '', volumes: [], stopSignal: '', labels: {} });
});

test.each([
  ['no layers section', {}],
  ['a diff id that is none', { rootfs: { diff_ids: ['x'] } }],
  ['an environment of numbers', { rootfs, config: { Env: [1] } }],
  ['a user that is a list', { rootfs, config: { User: [] } }],
  ['volumes that are a list', { rootfs, config: { Volumes: ['/data'] } }],
  ['a volume that says something', { rootfs, config: { Volumes: { '/data': 'x' } } }],
  ['a user of more bytes than a name has', { rootfs, config: { User: 'é'.repeat(129) } }],
])('refuses %s', (_name, value) => {
  expect(() => parse(value)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('the longest user is taken', () => {
  expect(parse({ rootfs, config: { User: 'u'.repeat(256) } }).runtime.user).toHaveLength(256);
});

test('fields in any case, and the last of those that come twice', () => {
  const text = `{"rootfs":{"Diff_IDs":["${digestOf('a')}"]},"OS":"linux","config":{"EntryPoint":["/e"],"env":["A=b"],"workingdir":"/w","user":"0"},"Config":{"USER":"1000"}}`;
  expect(parseImageConfig(Buffer.from(text), 'x').runtime).toMatchObject({ user: '1000', env: ['A=b'], entrypoint: ['/e'], workingDir: '/w' });
});

const names = (count: number): Record<string, object> => Object.fromEntries(Array.from({ length: count }, (_, index) => [`/v${index}`, {}]));
const variables = (count: number, length = 1): readonly string[] => Array.from({ length: count }, (_, index) => `V${index}=${'x'.repeat(length)}`);

test.each([
  ['400,000 variables', { Env: variables(400_000) }, /400000 environment variables.*10000/],
  ['a variable that Linux does not pass on', { Env: [`A=${'x'.repeat(128 * 1024 - 2)}`] }, /131072 bytes.*131071/],
  ['variables of more than 2 MiB', { Env: variables(20, 120_000) }, /altogether/],
  ['an argument that is too long', { Entrypoint: ['x'.repeat(131_072)] }, /arguments of 131072/],
  ['arguments of more than 2 MiB', { Cmd: Array.from({ length: 200_000 }, () => 'xx') }, /altogether/],
  ['an argument with a zero byte', { Cmd: ['a\0b'] }, /zero byte/],
  ['a volume with a zero byte', { Volumes: { '/v\0w': {} } }, /volume with a zero byte/],
  ['a working directory with a zero byte', { WorkingDir: '/w\0x' }, /working directory with a zero byte/],
  ['20,000 volumes', { Volumes: names(20_000) }, /20000 volumes.*1000/],
  ['more ports than there are', { ExposedPorts: names(65_537) }, /65537 exposed ports/],
  ['10,001 labels', { Labels: Object.fromEntries(variables(10_001).map((name) => [name, ''])) }, /10001 labels/],
  ['labels of more than 4 MiB', { Labels: { l: 'x'.repeat(4 << 20) } }, /bytes of labels/],
])('refuses %s and says the limit', (_name, config, message) => {
  expect(() => parse({ rootfs, config })).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(message) as unknown }) as Error);
});

test('refuses a history without end', () => {
  expect(() => parse({ rootfs, history: Array.from({ length: 10_001 }, () => ({})) })).toThrow(/10001 steps/);
});

test('what Linux can run is taken', () => {
  const config = { Env: [...variables(9_000), `A=${'x'.repeat(128 * 1024 - 3)}`], Cmd: ['x'.repeat(131_071)], Volumes: names(1000), ExposedPorts: names(1000), Labels: { l: 'x'.repeat(1 << 20) } };
  expect(parse({ rootfs, config }).runtime.env).toHaveLength(9_001);
});
