import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBerth } from '../fixtures/daemon.ts';
import { buildImage, buildIndex, type Image } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { podConfig } from '../fixtures/pods.ts';
import { Registry } from '../fixtures/registry.ts';
import { cniBinDirs } from '../fixtures/scratch.ts';
import { file } from '../fixtures/tar.ts';

const undo = new AsyncDisposableStack();
/** Colours, a title, a bidi override, an 8-bit control, a false second line. */
const escapes = '\u001b[31m\u001b]0;owned\u0007\u202e\u009b31m\nlevel=error';
const most = 4096;
let node: NodeDaemon;
let registry: Registry;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-hostile-'));
  undo.defer(() => {
    rmSync(directory, { recursive: true });
  });
  registry = undo.use(await Registry.start({ directory }));
  node = undo.use(await startBerth({ insecureRegistries: [registry.host], config: { cni: { bin_dirs: [join(directory, 'cni'), ...cniBinDirs] } } }));
});
afterAll(async () => undo.disposeAsync());

const forMachine = (architecture: string): Image => buildImage({ label: architecture.slice(0, 9), layers: [layer([file('a', 'a')])], platform: { os: 'linux', architecture } });

async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return (error as { details: string }).details;
  }
  throw new Error('it did not fail');
}

function expectTame(text: string): void {
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most);
  expect(text).toMatch(/^[\x20-\x7e…\ufffd]+$/);
}

/** The operator's tool, as a person sees it. */
async function berth(...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(join(import.meta.dirname, '../../bin/berth'), ['--endpoint', node.socket, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}

test.each([
  ['8 MB of it', '%'.repeat(7_900_000)],
  ['8 MB of what must be cleaned', '\u001b'.repeat(1_300_000)],
  ['escape sequences', escapes],
])('an architecture of %s ends neither the connection nor the calls on it', async (_name, architecture) => {
  const reference = await registry.push('app', `a${String(architecture.length)}`, forMachine(architecture));
  const others = Promise.all([1, 2, 3].map(async () => refusalOf(node.cri.pullImage('127.0.0.1:1/none:1'))));
  const details = await refusalOf(node.cri.pullImage(reference));
  expectTame(details);
  expect(details).toMatch(/^.*app:a\d+ is for linux\/.*but this node is linux\//);
  expect((await others).every((each) => each.includes('ECONNREFUSED'))).toBe(true);
  const shown = await berth('pull', reference);
  expect(shown).toMatch(/^[\x20-\x7e…\ufffd\n]+$/);
  expect(Buffer.byteLength(shown)).toBeLessThan(2 * most);
});

test('neither do the platforms that an index offers', async () => {
  const reference = await registry.push('app', 'index', buildIndex([forMachine(escapes), forMachine('y'.repeat(1_000_000)), forMachine('z')]));
  const details = await refusalOf(node.cri.pullImage(reference));
  expectTame(details);
  expect(details).toContain('has no image for linux/');
});

test('a network plugin says what it likes, and the kubelet hears it tamed', async () => {
  mkdirSync(join(directory, 'cni'));
  const plugin = join(directory, 'cni/shout');
  writeFileSync(join(directory, 'said.json'), JSON.stringify({ cniVersion: '1.0.0', code: 999, msg: `no ${escapes}`, details: 'x'.repeat(200_000) }));
  writeFileSync(plugin, `#!/bin/sh\ncat >/dev/null\n[ "$CNI_COMMAND" = VERSION ] && exec echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'\n[ "$CNI_COMMAND" = ADD ] || exit 0\ncat ${join(directory, 'said.json')}\nexit 1\n`);
  chmodSync(plugin, 0o755);
  writeFileSync(join(node.scratch.cniConfDir, '00-shout.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'shout', plugins: [{ type: 'shout' }] }));
  await expect.poll(async () => JSON.stringify(await node.cri.status(true)), { timeout: 20_000 }).toContain('shout');
  const details = await refusalOf(node.cri.runPod(podConfig(node.scratch, 'shout')));
  expectTame(details);
  expect(details).toContain('no \ufffd[31m');
  rmSync(join(node.scratch.cniConfDir, '00-shout.conflist'));
});

test('nor does any of it reach the log as it is', () => {
  const lines = node.log().split('\n');
  expect(lines.every((line) => /^[\x20-\x7e…\ufffd]*$/.test(line))).toBe(true);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(64_000);
});
