import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../fixtures/free-port.ts';
import type { Cluster } from '../cluster.ts';
import { terminalSize } from '../kubectl.ts';
import { pod, waiter, webServer } from '../manifests.ts';
import { buildTimeoutMs, containerOf, endCluster, isReady, noCluster, startCluster, type PodStatus } from './suite.ts';

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** kubectl speaks SPDY when it may not use WebSockets. */
const transports = [
  { transport: 'WebSocket', env: {} },
  { transport: 'SPDY', env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } },
];

describe.skipIf(noCluster)('what kubectl streams through a kubelet on berth', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-streams-'));
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
    const echo = { name: 'echo', image: cluster.busybox, command: ['sh', '-c', 'while read -r line; do echo "heard $line"; done; echo the end'], stdin: true, stdinOnce: true };
    const pods = [
      pod('web', { containers: [webServer(cluster.busybox), waiter(cluster.busybox, 'side')] }),
      pod('echo', { restartPolicy: 'Never', containers: [echo] }),
      pod('shell', { containers: [{ name: 'shell', image: cluster.busybox, command: ['sh'], stdin: true, tty: true }] }),
      pod('ticks', { containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', 'for i in $(seq 20); do echo tick $i; echo oops $i >&2; sleep 0.2; done; sleep 1000'] }] }),
    ];
    await cluster.kubectl.apply(...pods);
    for (const name of ['web', 'echo', 'shell', 'ticks']) await cluster.kubectl.until<PodStatus>('pod', name, isReady);
  }, buildTimeoutMs);
  afterAll(async () => {
    rmSync(directory, { recursive: true, force: true });
    await endCluster(cluster);
  });

  test('logs -f follows what is written, and logs shows its end, with times when asked', async () => {
    await using following = await cluster.kubectl.background(['logs', '-f', 'ticks'], { ready: /tick 20\n/ });
    expect(following.output().match(/^tick/gm)).toHaveLength(20);
    expect((await cluster.kubectl.run(['logs', 'ticks', '--tail=2'])).split('\n').toSorted()).toEqual(['', 'oops 20', 'tick 20']);
    expect(await cluster.kubectl.run(['logs', 'ticks', '--timestamps', '--tail=1'])).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z (tick|oops) 20\n$/);
  });

  test('logs -f of a container that ends ends with it', async () => {
    await cluster.kubectl.apply(pod('short', { restartPolicy: 'Never', containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', 'sleep 2; for i in 1 2 3; do echo line $i; sleep 0.5; done'] }] }));
    await cluster.kubectl.until<PodStatus>('pod', 'short', ({ status }) => status.phase === 'Running');
    expect(await cluster.kubectl.run(['logs', '-f', 'short'])).toBe('line 1\nline 2\nline 3\n');
  });

  const web = ['web', '-c', 'web', '--'];

  describe.each(transports)('over $transport', ({ transport, env }) => {
    test('exec keeps stdout, stderr, stdin and the exit code apart', async () => {
      const ending = await cluster.kubectl.attempt(['exec', '-i', ...web, 'sh', '-c', 'cat; echo wrong >&2; exit 42'], { input: 'from here\n', env });
      expect(ending).toMatchObject({ code: 42, stdout: 'from here\n' });
      expect(ending.stderr).toContain('wrong\n');
    });

    test('exec -it has a terminal, of the size of the one it is typed at', async () => {
      const { rows, columns } = terminalSize;
      // The size travels beside the start, so the command waits for it.
      const command = `tty; test -t 0 && test -t 1 && echo a terminal; until [ "$(stty size 2>/dev/null)" = "${rows} ${columns}" ]; do sleep 0.1; done; stty size; exit 3`;
      const { code, stdout } = await cluster.kubectl.onTerminal(['exec', '-it', ...web, 'sh', '-c', command], { env, timeoutMs: 20_000 });
      expect(stdout).toMatch(new RegExp(`^/dev/pts/\\d+\\r\\na terminal\\r\\n${rows} ${columns}\\r\\n`));
      expect(code).toBe(3);
    });

    test('exec carries 16 MiB each way', async () => {
      const bytes = randomBytes(16 << 20);
      const { stdout } = await cluster.kubectl.attempt(['exec', '-i', ...web, 'sh', '-c', 'tee /tmp/big | sha256sum; head -c 16777216 /dev/zero | tr "\\0" x'], { input: bytes, env });
      expect(stdout.slice(0, 64)).toBe(digest(bytes));
      expect(stdout.slice(stdout.indexOf('\n') + 1)).toBe('x'.repeat(16 << 20));
    });

    test('cp brings a file there and back', async () => {
      const bytes = randomBytes(3 << 20);
      const [there, back] = [join(directory, `there-${transport}`), join(directory, `back-${transport}`)];
      writeFileSync(there, bytes);
      await cluster.kubectl.run(['cp', there, 'web:/tmp/copied', '-c', 'web'], { env });
      expect(await cluster.kubectl.run(['exec', ...web, 'sha256sum', '/tmp/copied'], { env })).toContain(digest(bytes));
      await cluster.kubectl.run(['cp', 'web:/tmp/copied', back, '-c', 'web'], { env });
      expect(digest(readFileSync(back))).toBe(digest(bytes));
    });

    test('port-forward serves many connections', async () => {
      const port = await freePort();
      await using forward = await cluster.kubectl.background(['port-forward', 'pod/web', `${port}:80`], { env, ready: /Forwarding from 127/ });
      const answers = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(`http://127.0.0.1:${port}/`)).text()));
      expect(answers).toEqual(Array.from({ length: 20 }, () => 'web\n'));
      expect(forward.output()).toContain(`Handling connection for ${port}`);
    });

    test('port-forward tells of a port where nobody listens', async () => {
      const port = await freePort();
      await using forward = await cluster.kubectl.background(['port-forward', 'pod/web', `${port}:81`], { env, ready: /Forwarding from 127/ });
      const socket = connect(port, '127.0.0.1');
      await new Promise((resolve) => socket.once('close', resolve).once('error', resolve).resume());
      await vi.waitFor(() => {
        expect(forward.output()).toContain('nothing listens on port 81 in pod');
      });
    });
  });

  test('attach gives a container its stdin, and ends with it', async () => {
    const { stdout } = await cluster.kubectl.attempt(['attach', '-i', 'echo'], { input: 'one\ntwo\n' });
    expect(stdout).toContain('heard one\nheard two\nthe end\n');
    await cluster.kubectl.until<PodStatus>('pod', 'echo', ({ status }) => status.phase === 'Succeeded');
    expect(await cluster.kubectl.run(['logs', 'echo'])).toBe('heard one\nheard two\nthe end\n');
  });

  test('attach -it talks to a shell, which goes on when the terminal leaves', async () => {
    await using shell = await cluster.kubectl.background(['attach', '-it', 'shell'], { terminal: true, ready: /./ });
    shell.type('echo $((40 + 2)) is it\n');
    await vi.waitFor(() => {
      expect(shell.output()).toContain('42 is it');
    }, { timeout: 10_000 });
    await shell.stop();
    await sleep(1000);
    expect(containerOf(await cluster.kubectl.get<PodStatus>('pod', 'shell'), 'shell')).toMatchObject({ restartCount: 0, ready: true });
  });

  test('run --rm -it runs a pod and hands on its output and exit code', async () => {
    const { code, stdout } = await cluster.kubectl.attempt(['run', 'once', '--rm', '-i', '--restart=Never', `--image=${cluster.busybox}`, '--', 'sh', '-c', 'cat; exit 7'], { input: 'through\n' });
    expect(stdout).toContain('through\n');
    expect(code).toBe(7);
  });

  test('debug adds a container that sees the processes of its target', async () => {
    const { stdout } = await cluster.kubectl.attempt(['debug', 'web', '-i', '--container=looker', `--image=${cluster.busybox}`, '--target=web', '--profile=general', '--', 'sh', '-c', 'read -r _; ps; cat /proc/1/root/www/index.html'], { input: 'go\n' });
    expect(stdout).toContain('httpd -f -p 80');
    expect(stdout).toContain('web\n');
    const after = await cluster.kubectl.until<PodStatus>('pod', 'web', (seen) => containerOf(seen, 'looker')?.state.terminated !== undefined);
    expect(containerOf(after, 'web')).toMatchObject({ restartCount: 0, ready: true });
  });

  test('debug of the node sees the node', async () => {
    const { stdout } = await cluster.kubectl.attempt(['debug', 'node/n1', '-i', `--image=${cluster.busybox}`, '--profile=sysadmin', '--', 'sh', '-c', 'read -r _; chroot /host hostname; ip -o address show n0'], { input: 'go\n' });
    expect(stdout).toContain(cluster.network.nodeAddress);
  });

  test('top shows the node, its pods and their containers', async () => {
    // What is in a tmpfs is the memory of the container that wrote it.
    await cluster.kubectl.run(['exec', ...web, 'dd', 'if=/dev/zero', 'of=/dev/shm/ballast', 'bs=1M', 'count=24']);
    await vi.waitFor(async () => {
      expect(await cluster.kubectl.run(['top', 'pod', 'web', '--containers', '--no-headers'])).toMatch(/^web +side +\d+m +\dMi *\nweb +web +\d+m +2[4-9]Mi *\n$/);
    }, { timeout: 80_000, interval: 2000 });
    expect(await cluster.kubectl.run(['top', 'node', '--no-headers'])).toMatch(/^n1\s+\d+m\s/);
  }, 100_000);
});
