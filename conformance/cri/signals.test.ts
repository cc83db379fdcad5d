import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Registry } from '../fixtures/registry.ts';
import { CertificateAuthority } from '../fixtures/tls.ts';
import { CriSuite, waiting } from './suite.ts';

let suite: CriSuite;
let directory: string;
let authority: CertificateAuthority;
let settings: string;

const streamingCert = (): string => join(directory, 'streaming.crt');

/** Puts a new certificate where the daemon's settings say. */
function renew(name: string): void {
  const { cert, key } = authority.issue(name);
  copyFileSync(cert, streamingCert());
  copyFileSync(key, join(directory, 'streaming.key'));
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-signals-'));
  authority = new CertificateAuthority(directory);
  renew('first');
  suite = await CriSuite.start({ streaming: { tls_cert: streamingCert(), tls_key: join(directory, 'streaming.key') } });
  settings = readFileSync(configPath(), 'utf8');
});
afterAll(async () => {
  await suite?.close();
  rmSync(directory, { recursive: true, force: true });
});

const configPath = (): string => join(suite.node.scratch.dir, 'config.toml');
const lines = (message: string): readonly string[] => suite.node.log().split('\n').filter((line) => line.includes(message));

/** Writes the settings, sends SIGHUP and waits until the log says that they were looked at. */
async function reload(text: string, said = 'the configuration was read again'): Promise<string> {
  const before = lines(said).length;
  writeFileSync(configPath(), text);
  chmodSync(configPath(), 0o600);
  process.kill(suite.node.pid, 'SIGHUP');
  await expect.poll(() => lines(said).length, { timeout: 20_000 }).toBe(before + 1);
  return lines(said).at(-1) ?? '';
}

/** The settings with some of them set otherwise. */
const changed = (...changes: readonly (readonly [RegExp, string])[]): string => changes.reduce((text, [key, line]) => {
  expect(text).toMatch(key);
  return text.replace(key, line);
}, settings);

test('registries, pinned images and the level of the log count from SIGHUP on', async () => {
  const own = mkdtempSync(join(directory, 'registry-'));
  await using registry = await Registry.start({ directory: own, tls: true, auth: 'basic' });
  const reference = await registry.push('app', '1', suite.images.busybox('reloaded'));
  await expect(suite.cri.pullImage(reference)).rejects.toMatchObject({ details: expect.stringContaining('certificate') as unknown });
  expect((await suite.cri.imageStatus(suite.busybox))?.pinned).toBe(false);
  const added = `\n[registries."${registry.host}"]\nca = "${registry.ca ?? ''}"\nusername = "berth"\npassword = "fixture-pass"\n`;
  await reload(changed([/"level" = "debug"/, '"level" = "warn"'], [/\["?images"?\]/, `["images"]\npinned = ["${suite.busybox}"]`]) + added);
  await suite.cri.pullImage(reference);
  expect((await suite.cri.imageStatus(suite.busybox))?.pinned).toBe(true);
  const quiet = suite.node.log().length;
  await expect(suite.cri.pullImage('127.0.0.1:1/none:1')).rejects.toThrow();
  expect(suite.node.log().slice(quiet)).not.toContain('"level":"info"');
  expect(suite.node.log()).not.toContain('fixture-pass');
}, 120_000);

test('what waits for the next start is named', async () => {
  expect(JSON.parse(await reload(changed([/"driver" = "cgroupfs"/, '"driver" = "systemd"'])))).toMatchObject({ atNextStart: ['cgroup'] });
  expect(lines('would not start again with this configuration').at(-1)).toContain('[cgroup] parent');
  expect(JSON.parse(await reload(settings))).not.toHaveProperty('atNextStart');
  expect((await suite.cri.imageStatus(suite.busybox))?.pinned).toBe(false);
});

test.each([
  ['is no TOML', 'what = = is'],
  ['has an unknown key', 'sokcet = "x"'],
  ['pins what is no reference', '[images]\npinned = ["//"]'],
])('a configuration that %s is named, and berthd goes on with the old one', async (_name, text) => {
  const { pid } = suite.node;
  expect(await reload(text, 'the configuration cannot be used')).toContain('"level":"error"');
  expect(await suite.cri.imageStatus(suite.busybox)).not.toBeNull();
  expect(suite.node.pid).toBe(pid);
  await reload(settings);
});

test('a renewed certificate is shown to clients of streams from SIGHUP on, and a broken one is not', async () => {
  const pod = await suite.pod();
  const id = await suite.run(pod, [...waiting]);
  const { url } = await suite.cri.call<{ readonly url: string }>('Exec', { container_id: id, cmd: ['true'], stdout: true });
  const shown = async (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      }).on('error', reject);
    });
  expect(await shown()).toBe('first');
  renew('second');
  await reload(settings);
  expect(await shown()).toBe('second');
  writeFileSync(streamingCert(), 'rubbish');
  await reload(settings, 'the configuration cannot be used');
  expect(await shown()).toBe('second');
  renew('third');
  await reload(settings);
  expect(await shown()).toBe('third');
});

test('other signals change nothing, and open no debugger', async () => {
  const { pid } = suite.node;
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGPIPE'] as const) process.kill(pid, signal);
  await suite.cri.version();
  expect(suite.node.pid).toBe(pid);
  expect(suite.node.log()).not.toMatch(/debugger/i);
});

test('the agent is in a session of its own, where what a terminal sends to berthd does not reach it', () => {
  const sessionOf = (pid: number): string => readFileSync(`/proc/${String(pid)}/stat`, 'utf8').split(') ')[1]?.split(' ')[3] ?? '';
  const agent = suite.node.pids.find((pid) => readFileSync(`/proc/${String(pid)}/comm`, 'utf8').startsWith('berth-agent')) ?? 0;
  expect(sessionOf(agent)).toBe(String(agent));
});

test.each(['SIGQUIT', 'SIGINT'] as const)('%s ends berthd as SIGTERM does', async (signal) => {
  process.kill(suite.node.pid, signal);
  await expect.poll(() => lines(`${signal} came`).length).toBe(1);
  expect(await suite.node.stop()).toBe(true);
  await suite.node.startAgain();
});
