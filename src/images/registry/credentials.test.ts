import { expect, test } from 'vitest';
import { credentialsFor, fingerprint } from './credentials.ts';
import { ConfiguredEndpoints } from './configured-endpoints.ts';
import type { RegistryHostConfig } from '../config.ts';

const host: RegistryHostConfig = { server: '', mirrors: [], insecure: false, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };
const auth = { username: 'u', password: 'p', identityToken: '', registryToken: '', serverAddress: '' };
const password = { kind: 'password', username: 'u', password: 'p' };
const anonymous = { kind: 'anonymous' };

const endpoints = new ConfiguredEndpoints({
  'registry.example': { ...host, server: 'api.registry.example', mirrors: ['mirror.example:5000'] },
  'mirror.example:5000': { ...host, insecure: true, identityToken: 'own' },
});
const [mirror, own] = endpoints.endpoints('registry.example');
if (own === undefined) throw new Error('two endpoints expected');

test('mirrors come first, with their own settings; the registry is dialled where it is served', () => {
  expect(mirror).toMatchObject({ origin: 'http://mirror.example:5000', isRegistry: false, namespace: 'registry.example' });
  expect(own).toMatchObject({ origin: 'https://api.registry.example', isRegistry: true });
  expect(endpoints.endpoints('other.example')).toMatchObject([{ origin: 'https://other.example', credentials: anonymous }]);
  expect(endpoints.endpoints('constructor')).toMatchObject([{ origin: 'https://constructor' }]);
});

test('credentials without an address go to the registry, never to a mirror', () => {
  expect(credentialsFor(auth, own, 'registry.example')).toEqual(password);
  expect(credentialsFor(auth, mirror, 'registry.example')).toEqual({ kind: 'identity', token: 'own' });
});

test.each(['registry.example', 'https://registry.example/v1/', 'api.registry.example'])('an address of the registry: %s', (serverAddress) => {
  expect(credentialsFor({ ...auth, serverAddress }, own, 'registry.example')).toEqual(password);
});

test('a port that is the scheme’s own is the same server, named or not', () => {
  const [named] = endpoints.endpoints('port.example:443');
  for (const serverAddress of ['port.example:443', 'https://port.example/v2/']) expect(credentialsFor({ ...auth, serverAddress }, named, 'port.example:443')).toEqual(password);
  expect(credentialsFor({ ...auth, serverAddress: 'port.example:444' }, named, 'port.example:443')).toEqual(anonymous);
});

test('an address of another server', () => {
  expect(credentialsFor({ ...auth, serverAddress: 'https://mirror.example:5000' }, own, 'registry.example')).toEqual(anonymous);
  expect(credentialsFor({ ...auth, serverAddress: 'https://mirror.example:5000' }, mirror, 'registry.example')).toEqual(password);
  expect(credentialsFor({ ...auth, serverAddress: 'evil.example' }, own, 'registry.example')).toEqual(anonymous);
});

test('the strongest secret counts', () => {
  expect(credentialsFor({ ...auth, identityToken: 'i' }, own, 'registry.example')).toEqual({ kind: 'identity', token: 'i' });
  expect(credentialsFor({ ...auth, identityToken: 'i', registryToken: 'r' }, own, 'registry.example')).toEqual({ kind: 'bearer', token: 'r' });
});

test('a fingerprint tells callers apart and shows nothing', () => {
  expect(fingerprint(auth)).not.toBe(fingerprint({ ...auth, password: 'q' }));
  expect(fingerprint(auth)).not.toBe(fingerprint(undefined));
  expect(fingerprint({ ...auth, password: 'secret' })).not.toContain('secret');
});
