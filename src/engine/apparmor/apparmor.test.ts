import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ExecRequest } from '../../native/port.ts';
import { apparmorFor } from '../../oci/spec/apparmor.ts';
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

const exec = (exitCode: number) => vi.fn<(request: ExecRequest) => Promise<{ stdout: Uint8Array; stderr: Uint8Array; exitCode: number }>>(async () => ({ stdout: new Uint8Array(), stderr: new TextEncoder().encode('no such flag'), exitCode }));
const log = () => ({ info: vi.fn<() => void>(), warn: vi.fn<() => void>(), error: vi.fn<() => void>() });
const loaded = async (): Promise<Apparmor> => {
  const apparmor = new Apparmor(true, profiles);
  await apparmor.load({ agent: { exec: exec(0) }, log: log() }, AbortSignal.timeout(1000));
  return apparmor;
};
const asked = (type: 'runtime-default' | 'unconfined' | 'localhost', localhostRef = '') => ({ type, localhostRef });

test('the default profile is given to the kernel once, and only where there is AppArmor', async () => {
  const parser = exec(0);
  await new Apparmor(false, profiles).load({ agent: { exec: parser }, log: log() }, AbortSignal.timeout(1000));
  expect(parser).not.toHaveBeenCalled();
  await new Apparmor(true, profiles).load({ agent: { exec: parser }, log: log() }, AbortSignal.timeout(1000));
  expect(new TextDecoder().decode(parser.mock.calls[0]?.[0].stdin)).toMatch(/^profile berth-default /m);
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

test('where the default cannot be loaded containers run without, and the log says so', async () => {
  const host = new Apparmor(true, profiles);
  const said = log();
  await host.load({ agent: { exec: exec(2) }, log: said }, AbortSignal.timeout(1000));
  expect(said.warn).toHaveBeenCalledOnce();
  expect(apparmorFor(undefined, false, host)).toBeUndefined();
});
