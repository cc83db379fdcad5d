import { describe, expect, test } from 'vitest';
import { bareRepository, formatReference, parseReference, repositoryOf } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const full = (text: string, defaultRegistry = 'registry.example'): string => formatReference(parseReference(text, defaultRegistry));

test.each([
  ['app', 'registry.example/app:latest'],
  ['team/app:1', 'registry.example/team/app:1'],
  ['other.example/app', 'other.example/app:latest'],
  ['other.example:5000/deep/er/app:v1.2_3-rc', 'other.example:5000/deep/er/app:v1.2_3-rc'],
  ['localhost/app', 'localhost/app:latest'],
  ['Host/app', 'Host/app:latest'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  [`app@${digest}`, `registry.example/app@${digest}`],
  [`other.example:5000/app:tag@${digest}`, `other.example:5000/app@${digest}`],
  ['a__b/c--d.e_f', 'registry.example/a__b/c--d.e_f:latest'],
])('%s is %s', (text, expected) => {
  expect(full(text)).toBe(expected);
  expect(full(expected)).toBe(expected);
});

test.each(['', ':tag', 'App', 'a/B', 'a//b', '/a', 'a/', '-a', 'a..b', 'a___b', 'a:', 'a: b', 'a:.tag', `a:${'t'.repeat(129)}`, 'a@sha256:short', `a@sha512:${'a'.repeat(128)}`, 'host_.example/a', 'a b', '../etc', 'registry.example/../a', 'x.example:99999999/a', `${'n'.repeat(250)}/b`])('refuses "%s"', (text) => {
  expect(() => parseReference(text, 'registry.example')).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

test.each([
  ['https://docker.io/alpine', 'leave out https://, as in docker.io/alpine'],
  ['docker://alpine', 'leave out docker://, as in alpine'],
  ['alpine:', 'write a tag'],
  ['Alpine', 'lower case'],
  ['a//b', 'references are written as'],
  ['', 'references are written as'],
  ['host_.example/a', 'references are written as'],
  ['f'.repeat(64), '@sha256:'],
])('what to do about "%s"', (text, hint) => {
  expect(() => parseReference(text, 'docker.io/library')).toThrow(expect.objectContaining({ kind: 'invalid', hint: expect.stringContaining(hint) }));
});

describe('a default registry with a namespace', () => {
  test.each([
    ['app', 'registry.example/library/app:latest'],
    ['registry.example/app', 'registry.example/library/app:latest'],
    ['team/app', 'registry.example/team/app:latest'],
    ['other.example/app', 'other.example/app:latest'],
  ])('%s is %s', (text, expected) => {
    expect(full(text, 'registry.example/library')).toBe(expected);
  });
});

describe('Docker Hub', () => {
  test.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['docker.io/team/app:1', 'docker.io/team/app:1'],
    ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/library/nginx', 'docker.io/library/nginx:latest'],
    ['registry-1.docker.io/library/nginx', 'registry-1.docker.io/library/nginx:latest'],
    [`docker.io/nginx@${digest}`, `docker.io/library/nginx@${digest}`],
    [`nginx:1@${digest}`, `docker.io/library/nginx@${digest}`],
    ['localhost/nginx', 'localhost/nginx:latest'],
  ])('%s is %s', (text, expected) => {
    for (const byDefault of ['docker.io/library', 'docker.io', 'index.docker.io', 'index.docker.io/library']) {
      expect(full(text, byDefault)).toBe(expected);
      expect(full(expected, byDefault)).toBe(expected);
    }
  });

  test('its namespace counts also where short names mean another registry', () => {
    expect([full('docker.io/nginx'), full('nginx')]).toEqual(['docker.io/library/nginx:latest', 'registry.example/nginx:latest']);
  });

  test.each(['f'.repeat(64), `sha256:${'f'.repeat(64)}`])('%s is an id and not a name there', (text) => {
    expect(() => parseReference(text, 'docker.io/library')).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining("an image's id") }));
  });
});

test('without a default registry, names need a host', () => {
  expect(() => parseReference('app', '')).toThrow(expect.objectContaining({ kind: 'invalid', hint: expect.stringContaining('default_registry') }));
  expect(full('other.example/app', '')).toBe('other.example/app:latest');
});

test('the repository has neither tag nor digest', () => {
  expect(repositoryOf(parseReference('other.example:5000/a/b:c', ''))).toBe('other.example:5000/a/b');
});

test.each([
  ['app', 'registry.example/app'],
  ['other.example:5000/a/b', 'other.example:5000/a/b'],
  ['app:1', undefined],
  [`app@sha256:${'a'.repeat(64)}`, undefined],
  ['App!', undefined],
  ['', undefined],
])('the bare name "%s" stands for %s', (text, repository) => {
  expect(bareRepository(text, 'registry.example')).toBe(repository);
});
