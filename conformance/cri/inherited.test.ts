/** What processes in containers begin with, compared with what containerd gives them on this machine. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startContainerd } from '../fixtures/containerd.ts';
import { startBerth } from '../fixtures/daemon.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { Registry } from '../fixtures/registry.ts';
import { TestImages } from '../fixtures/test-images.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping the comparison with containerd: ${unbuildable}`);

/** Of the shell itself. Fields of its stat: 6 to 8 from the third on are session, terminal and its group, 19 is nice, 40 and 41 the scheduler. */
const script = [
  "grep -E '^(Sig(Blk|Ign)|Cap|NoNewPrivs|Seccomp:|Groups|Cpus_allowed_list|Mems_allowed_list|Umask)' /proc/$$/status",
  'cat /proc/$$/limits',
  // The shell looks itself: a pipe to another program is one of its descriptors for a while. What it looks with is one, too.
  'for fd in /proc/$$/fd/*; do echo descriptor ${fd##*/}; done',
  "echo scheduling $(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f 5,16,17,38,39)",
  'echo personality $(cat /proc/$$/personality)',
  'echo session $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f 3,4 | sed "s/\\b$$\\b/own/g")',
  'echo oom $(cat /proc/$$/oom_score_adj) $(stat -c %u:%g /proc/$$/limits)',
  'echo io $(ionice -p $$)',
  'umask; pwd; env | sort',
].join('; ');

/** Not below that of this machine's processes, which may not be allowed to lower one. */
const wantedScore = Number(readFileSync('/proc/self/oom_score_adj', 'utf8')) + 7;
/** Signals 32 and 33 are the C library's own: no program sets them, and what an ancestor of these daemons had is handed on by one language's library and not by another's. */
const withoutLibrarySignals = (state: string): string => state.replace(/^(SigIgn:\t)(.*)$/m, (_, name: string, mask: string) => `${name}${(BigInt(`0x${mask}`) & ~0x1_8000_0000n).toString(16).padStart(16, '0')}`);
const withoutScore = (state: string | undefined): string | undefined => state?.replace(/^oom -?\d+ /m, '');

/** Begins with a soft limit that neither Go nor Node.js leaves as it is for itself, and the usual umask, which the runtimes hand on. */
const limited = (command: readonly [string, ...string[]]): readonly [string, ...string[]] => ['sh', '-c', 'ulimit -Sn 1234; umask 022; exec "$@"', 'sh', ...command];

describe.skipIf(unbuildable !== undefined)('a process begins as under containerd', () => {
  const cleanup = new AsyncDisposableStack();
  const seen = new Map<string, { readonly main: string; readonly exec: string }>();
  const keyrings = new Map<string, readonly string[]>();

  async function look(node: NodeDaemon, image: string, handler: string): Promise<{ readonly main: string; readonly exec: string }> {
    const config = podConfig(node.scratch, 'look');
    const pod = await node.cri.runPod(config, handler);
    const wanted = containerConfig(image, ['sh', '-c', `${script}; echo end; sleep 1000`]);
    const id = await node.cri.createContainer(pod, { ...wanted, linux: { ...wanted.linux, resources: { oom_score_adj: String(wantedScore) } } }, config);
    await node.cri.startContainer(id);
    const log = join(config.log_directory ?? '', 'main.log');
    await vi.waitFor(() => {
      expect(readFileSync(log, 'utf8')).toContain(' end\n');
    }, 15_000);
    const main = readFileSync(log, 'utf8').split('\n').map((line) => line.split(' ').slice(3).join(' ')).filter((line) => line !== '' && line !== 'end').join('\n');
    const exec = (await node.cri.execSync(id, ['sh', '-c', script])).stdout.toString();
    await node.cri.stopPod(pod);
    await node.cri.removePod(pod);
    return { main: withoutLibrarySignals(main), exec: withoutLibrarySignals(exec) };
  }

  /** Of the main process and of an exec, without seccomp's filter, which hides them. */
  async function lookAtKeyrings({ cri, scratch }: NodeDaemon, image: string, handler: string): Promise<readonly string[]> {
    const config = podConfig(scratch, 'keys');
    const pod = await cri.runPod(config, handler);
    const { linux, ...wanted } = containerConfig(image, ['sh', '-c', '/keyring > /told; sleep 1000']);
    const id = await cri.createContainer(pod, { ...wanted, linux: { security_context: { ...(linux?.security_context as object), seccomp: { profile_type: 'Unconfined' } } } }, config);
    await cri.startContainer(id);
    const said = async (...command: readonly [string, ...string[]]): Promise<string> => (await cri.execSync(id, command)).stdout.toString().replaceAll(id, 'ID');
    const main = await vi.waitUntil(async () => said('cat', '/told'), 15_000);
    const exec = await said('/keyring');
    await cri.stopPod(pod);
    await cri.removePod(pod);
    return [main, exec];
  }

  beforeAll(async () => {
    await buildPeers(['containerd', 'containerd-shim-runc-v2']);
    const directory = mkdtempSync(join(tmpdir(), 'berth-in-'));
    cleanup.defer(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const registry = cleanup.use(await Registry.start({ directory }));
    const images = new TestImages();
    const image = await registry.push('busybox', '1', images.keyring());
    const pauseImage = await registry.push('pause', '1', images.pause());
    const nodes = [cleanup.use(await startContainerd({ pauseImage, within: limited })), cleanup.use(await startBerth({ insecureRegistries: [registry.host], within: limited }))];
    for (const node of nodes) {
      await node.cri.pullImage(image);
      for (const handler of ['crun', 'runc']) {
        seen.set(`${node.name} ${handler}`, await look(node, image, handler));
        keyrings.set(`${node.name} ${handler}`, await lookAtKeyrings(node, image, handler));
      }
    }
  }, 900_000);
  afterAll(async () => cleanup.disposeAsync());

  test.each(['crun', 'runc'])('with %s: the main process and an exec', (handler) => {
    const [ours, theirs] = ['berth', 'containerd'].map((name) => seen.get(`${name} ${handler}`));
    expect(ours?.main).toContain('SigBlk:\t0000000000000000');
    // runc of Debian 12 hands on the limit that Go raised for it, under either.
    if (handler === 'crun') expect(ours?.main).toMatch(/^Max open files +1234 /m);
    expect(ours?.main).toMatch(/^io \w+/m);
    expect(ours?.main).toBe(theirs?.main);
    expect(withoutScore(ours?.exec)).toBe(withoutScore(theirs?.exec));
    // An exec under runc has the score of containerd's shim; here it has its container's.
    expect(ours?.exec).toContain(`oom ${wantedScore} `);
  });

  test.each(['crun', 'runc'])('with %s: the session keyring is one of the container alone', (handler) => {
    const [ours, theirs] = ['berth', 'containerd'].map((name) => keyrings.get(`${name} ${handler}`));
    expect(ours?.[0]).toMatch(/^keyring;.*ID\n$/);
    expect(ours).toEqual(theirs);
  });
});
