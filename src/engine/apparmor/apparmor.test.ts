import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ExecRequest } from '../../agent/port.ts';
import { apparmorFor } from '../../oci/runtime-spec/apparmor.ts';
import { Apparmor } from './apparmor.ts';

let directory: string;
let profiles: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-aa-'));
  profiles = join(directory, 'profiles');
  writeFileSync(profiles, '/usr/bin/man (enforce)\nmy profile (complain)\nberth-test (enforce)\n');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const exec = (exitCode: number) => vi.fn<(request: ExecRequest, signal?: AbortSignal) => Promise<{ stdout: Uint8Array; stderr: Uint8Array; exitCode: number }>>(async () => ({ stdout: new Uint8Array(), stderr: new TextEncoder().encode('no such flag'), exitCode }));
const node = (parser: ReturnType<typeof exec> = exec(0)) => {
  const now = { ms: 0 };
  const log = { info: vi.fn<() => void>(), warn: vi.fn<() => void>(), error: vi.fn<() => void>() };
  const parts = { agent: { exec: parser }, log, clock: { monotonicMs: () => now.ms } };
  return { now, log, parser, provide: (host: Apparmor, signal = AbortSignal.timeout(5000)) => host.provideDefault(parts, signal) };
};
const loaded = async (): Promise<Apparmor> => {
  const apparmor = new Apparmor(true, profiles);
  await node().provide(apparmor);
  return apparmor;
};
const asked = (type: 'runtime-default' | 'unconfined' | 'localhost', localhostRef = '') => ({ type, localhostRef });

test('the default profile is given to the kernel once, and only where there is AppArmor', async () => {
  const { parser, provide } = node();
  await provide(new Apparmor(false, profiles));
  expect(parser).not.toHaveBeenCalled();
  const host = new Apparmor(true, profiles);
  await Promise.all([provide(host), provide(host)]);
  appendFileSync(profiles, 'berth-default (enforce)\n');
  await provide(host);
  expect(parser).toHaveBeenCalledOnce();
  expect(new TextDecoder().decode(parser.mock.calls[0]?.[0].stdin)).toMatch(/^profile berth-default /m);
});

test.each(['unconfined', 'runc', 'crun'])('containers take signals of %s', async (peer) => {
  const { parser, provide } = node();
  await provide(new Apparmor(true, profiles));
  expect(new TextDecoder().decode(parser.mock.calls[0]?.[0].stdin)).toContain(`signal (receive) peer=${peer},`);
});

test('a default profile that was unloaded is given to the kernel again', async () => {
  const { parser, provide } = node();
  const host = new Apparmor(true, profiles);
  await provide(host);
  await provide(host);
  expect(parser).toHaveBeenCalledTimes(2);
});

test('where nobody may read what the kernel has, the default profile is taken to be there still', async () => {
  const { parser, provide } = node();
  const host = new Apparmor(true, join(directory, 'nonesuch'));
  await provide(host);
  await provide(host);
  expect(parser).toHaveBeenCalledOnce();
});

test('no profile and RuntimeDefault are the default one; a privileged container has none unless it names one', async () => {
  const host = await loaded();
  for (const profile of [undefined, asked('runtime-default')]) {
    expect(apparmorFor(profile, false, host)).toBe('berth-default');
    expect(apparmorFor(profile, true, host)).toBeUndefined();
  }
  expect(apparmorFor(asked('unconfined'), false, host)).toBeUndefined();
  expect(apparmorFor(asked('localhost', 'localhost/berth-test'), true, host)).toBe('berth-test');
});

test('a local profile must be loaded', async () => {
  const host = await loaded();
  expect(apparmorFor(asked('localhost', 'my profile'), false, host)).toBe('my profile');
  for (const name of ['nonesuch', '', 'my']) expect(() => apparmorFor(asked('localhost', name), false, host)).toThrow(`"${name}" is not loaded`);
});

test('a node without AppArmor has no default, and a named profile is an error there', () => {
  const host = new Apparmor(false, profiles);
  expect(apparmorFor(undefined, false, host)).toBeUndefined();
  expect(apparmorFor(asked('runtime-default'), false, host)).toBeUndefined();
  expect(() => apparmorFor(asked('localhost', 'berth-test'), false, host)).toThrow('this node has no AppArmor');
});

test('where the default cannot be loaded, who asks for none runs without, and the log says so', async () => {
  const { log, provide } = node(exec(2));
  const host = new Apparmor(true, profiles);
  await provide(host);
  expect(log.warn).toHaveBeenCalledOnce();
  expect(apparmorFor(undefined, false, host)).toBeUndefined();
});

test('where the default cannot be loaded, RuntimeDefault is an error unless the container is privileged', async () => {
  const host = new Apparmor(true, profiles);
  await node(exec(2)).provide(host);
  expect(() => apparmorFor(asked('runtime-default'), false, host)).toThrow(expect.objectContaining({ kind: 'precondition', message: expect.stringContaining('default AppArmor profile') }));
  expect(apparmorFor(asked('runtime-default'), true, host)).toBeUndefined();
});

test('a profile that could not be loaded is tried again, but not for each container', async () => {
  const parser = exec(0).mockResolvedValueOnce({ stdout: new Uint8Array(), stderr: new Uint8Array(), exitCode: 2 });
  const { now, provide } = node(parser);
  const host = new Apparmor(true, profiles);
  await provide(host);
  await provide(host);
  expect(parser).toHaveBeenCalledTimes(1);
  now.ms = 60_000;
  await provide(host);
  expect(host.defaultProfile).toBe('berth-default');
});

test('a caller that leaves ends the parser, which is no failure of the profile', async () => {
  const parser = vi.fn<(request: ExecRequest, signal?: AbortSignal) => Promise<never>>((_, signal) => new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => { reject(new Error('killed')); });
  }));
  const { log, provide } = node(parser);
  const leaving = new AbortController();
  const left = provide(new Apparmor(true, profiles), leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  expect(log.warn).not.toHaveBeenCalled();
});
