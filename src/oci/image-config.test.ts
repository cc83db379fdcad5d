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
  ['a user of more bytes than a name has', { rootfs, config: { User: 'é'.repeat(129) } }],
])('refuses %s', (_name, value) => {
  expect(() => parse(value)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test('the longest user is taken', () => {
  expect(parse({ rootfs, config: { User: 'u'.repeat(256) } }).runtime.user).toHaveLength(256);
});
