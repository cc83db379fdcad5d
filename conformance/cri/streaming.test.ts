/** Exec, attach and port-forward as kubectl's own client code does them, over both transports. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../fixtures/free-port.ts';
import { grpcStatus } from '../fixtures/cri.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';
import { ForwardingClient, StreamingClient, type ClientOptions, type ClientResult, type Transport } from '../streaming/streaming-client.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping streams: ${unbuildable}`);

const output = { stdout: true, stderr: true };
const input = { stdin: true, ...output };
const terminal = { stdin: true, stdout: true, tty: true };
const transports: readonly Transport[] = ['spdy', 'websocket'];
type Unused = Readonly<Record<'url', string> & Record<'pid' | 'atMs', number>>;
const eventually = async (check: () => void, timeout = 10_000): Promise<void> => vi.waitFor(check, { timeout, interval: 20 });

describe.skipIf(unbuildable !== undefined)('streams', () => {
  let suite: CriSuite;
  let pod: SuitePod;
  let id: string;
  let unused: Unused;
  beforeAll(async () => {
    await buildPeers(['streaming-client']);
    suite = await CriSuite.start();
    pod = await suite.pod();
    id = await suite.run(pod, [...waiting]);
    unused = await unusedUrl();
  }, 900_000);
  afterAll(async () => suite?.close());

  const urlOf = async (method: 'Exec' | 'Attach' | 'PortForward', request: object): Promise<string> => (await suite.cri.call<{ readonly url: string }>(method, request)).url;

  async function open(command: readonly string[], options: ClientOptions, container = id): Promise<StreamingClient> {
    return new StreamingClient(await urlOf('Exec', { container_id: container, cmd: command, ...options.streams }), options);
  }

  const exec = async (command: readonly string[], options: ClientOptions): Promise<ClientResult> => (await open(command, options)).result;

  const processes = async (pattern: string): Promise<string> => (await suite.cri.execSync(id, ['sh', '-c', `ps -o args | grep -c "${pattern}"`])).stdout.toString().trim();

  describe.each(transports)('over %s', (transport) => {
    test('stdout, stderr and the exit code come apart', async () => {
      expect(await exec(['sh', '-c', 'printf out; printf err >&2; exit 42'], { transport, streams: output })).toEqual({ stdout: 'out', stderr: 'err', code: 42 });
    });

    test.each([0, 1, 137])('exit code %i', async (code) => {
      expect(await exec(['sh', '-c', `exit ${code}`], { transport, streams: output })).toMatchObject({ code });
    });

    test('a command that is killed has the code of its signal', async () => {
      expect(await exec(['sh', '-c', 'kill -9 $$'], { transport, streams: output })).toMatchObject({ code: 137 });
    });

    test('input is echoed, and its end ends the command', async () => {
      const client = await open(['cat'], { transport, streams: input });
      client.type('one\n');
      await eventually(() => { expect(client.seen).toBe('one\n'); });
      client.type('two\n');
      client.endInput();
      expect(await client.result).toEqual({ stdout: 'one\ntwo\n', stderr: '', code: 0 });
    });

    test('input ends while the output still comes', async () => {
      const client = await open(['sh', '-c', 'wc -c; sleep 0.5; echo later'], { transport, streams: input });
      client.type('x'.repeat(300_000));
      client.endInput();
      expect((await client.result).stdout).toBe('300000\nlater\n');
    });

    test('a command that wants no input does not mind it', async () => {
      const client = await open(['sh', '-c', 'exec <&-; sleep 0.3; echo done'], { transport, streams: input });
      client.type('x'.repeat(3_000_000));
      expect(await client.result).toMatchObject({ stdout: 'done\n', code: 0 });
    });

    test('only the streams that were asked for are there', async () => {
      expect(await exec(['sh', '-c', 'echo out; echo err >&2'], { transport, streams: { stderr: true } })).toEqual({ stdout: '', stderr: 'err\n', code: 0 });
    });

    test('16 MiB come whole', async () => {
      const client = await open(['sh', '-c', 'head -c 16777216 /dev/zero; echo end >&2'], { transport, streams: output, flags: ['-count'] });
      const { stdout, stderr } = await client.result;
      expect([stdout.split(' ')[0], stderr]).toEqual(['16777216', 'end\n']);
    });

    test('a terminal: one output, its size, and what changes it', async () => {
      const sizes = join(suite.node.scratch.dir, `sizes-${transport}`);
      writeFileSync(sizes, '{"Width":100,"Height":30}\n{"Width":81,"Height":25}\n');
      const client = await open(['sh', '-c', 'await() { until [ "$(stty size 2>/dev/null)" = "$1" ]; do sleep 0.02; done; stty size; }; tty; await "30 100"; await "25 81"; echo err >&2'], { transport, streams: terminal, flags: [`-sizes=${sizes}`] });
      expect(await client.result).toEqual({ stdout: '/dev/pts/0\r\n30 100\r\n25 81\r\nerr\r\n', stderr: '', code: 0 });
    });

    test('a terminal passes control characters on', async () => {
      const client = await open(['sh', '-c', 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.05; done'], { transport, streams: terminal });
      await eventually(() => { expect(client.seen).toContain('ready'); });
      client.type('\u0003');
      expect(await client.result).toMatchObject({ stdout: expect.stringContaining('caught'), code: 3 });
    });

    test('a client that leaves takes its command along', async () => {
      const client = await open(['sleep', '4321'], { transport, streams: input });
      await vi.waitFor(async () => { expect(await processes('sleep [4]321')).toBe('1'); }, { timeout: 5000 });
      await client.kill();
      await vi.waitFor(async () => { expect(await processes('sleep [4]321')).toBe('0'); }, { timeout: 10_000, interval: 100 });
    });

    test('a program that is not there is named', async () => {
      const { stderr, code } = await exec(['/no/such/program'], { transport, streams: output });
      // Some OCI runtimes answer as a shell does, others refuse.
      expect([126, 127, 200]).toContain(code);
      if (code === 200) expect(stderr).toContain('/no/such/program');
    });

    test('fifty at once all answer', async () => {
      const results = await Promise.all(Array.from({ length: 50 }, async (_, index) => exec(['echo', String(index)], { transport, streams: output })));
      expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}\n`));
    });

    test('a slow reader gets everything, and holds the process back instead of filling berthd', async () => {
      const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${suite.node.pid}/status`, 'utf8'))?.[1]);
      const reader = async (mebibytes: number): Promise<StreamingClient> =>
        open(['sh', '-c', `dd if=/dev/zero bs=1M count=${mebibytes} 2>/dev/null; echo end >&2`], { transport, streams: output, flags: ['-count', '-read=100000000'] });
      // What a first stream makes the heap grow by is used again by those that follow, and is not what is asked here.
      await (await reader(100)).result;
      const before = rss();
      const client = await reader(200);
      let peak = 0;
      const watch = setInterval(() => { peak = Math.max(peak, rss()); }, 50);
      const { stdout, stderr } = await client.result;
      clearInterval(watch);
      expect([stdout.split(' ')[0], stderr]).toEqual([String(200 << 20), 'end\n']);
      expect(peak - before).toBeLessThan(64 << 10);
    });

    test('attach gets the output and gives input, and leaves the container running', async () => {
      const shell = await suite.run(pod, ['sh', '-c', 'while read line; do echo "got $line"; done; echo over'], { stdin: true, metadata: { name: `attach-${transport}` } });
      const attach = async (): Promise<StreamingClient> => new StreamingClient(await urlOf('Attach', { container_id: shell, ...input }), { transport, streams: input });
      const first = await attach();
      first.type('one\n');
      await eventually(() => { expect(first.seen).toBe('got one\n'); });
      first.type('last\n');
      first.endInput();
      expect(await first.result).toEqual({ stdout: 'got one\ngot last\n', stderr: '', code: 0 });
      expect((await suite.cri.containerStatus(shell)).state).toBe('CONTAINER_RUNNING');
      const second = await attach();
      second.type('two\n');
      await eventually(() => { expect(second.seen).toBe('got two\n'); });
      await suite.cri.stopContainer(shell);
      expect((await second.result).code).toBe(0);
    });

    test('attach closes the input of a container that wants it once', async () => {
      const once = await suite.run(pod, ['sh', '-c', 'cat; echo over'], { stdin: true, stdin_once: true, metadata: { name: `once-${transport}` } });
      const client = new StreamingClient(await urlOf('Attach', { container_id: once, ...input }), { transport, streams: input });
      client.type('in');
      client.endInput();
      expect((await client.result).stdout).toBe('inover\n');
      expect(await suite.reaches(once, 'CONTAINER_EXITED')).toMatchObject({ exit_code: 0 });
    });

    test('attach to a terminal', async () => {
      const shell = await suite.run(pod, ['sh'], { stdin: true, tty: true, metadata: { name: `tty-${transport}` } });
      const client = new StreamingClient(await urlOf('Attach', { container_id: shell, ...terminal }), { transport, streams: terminal });
      client.type('echo $((6*7)); exit\n');
      expect((await client.result).stdout).toMatch(/42\r\n/);
    });

    test('attach to a terminal ends with the client’s input, however much the container says', async () => {
      const shell = await suite.run(pod, ['sh', '-c', 'while :; do echo chatter; sleep 0.02; done & while read line; do echo "got $line"; done'], { stdin: true, stdin_once: true, tty: true, metadata: { name: `chatty-${transport}` } });
      for (const word of ['one', 'two']) {
        const client = new StreamingClient(await urlOf('Attach', { container_id: shell, ...terminal }), { transport, streams: terminal });
        client.type(`${word}\n`);
        client.endInput();
        expect(await client.result).toMatchObject({ stdout: expect.stringContaining(`got ${word}\r\n`), code: 0 });
      }
      expect((await suite.cri.containerStatus(shell)).state).toBe('CONTAINER_RUNNING');
    });

    const fetchThrough = async (port: number): Promise<string> => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end('GET / HTTP/1.0\r\n\r\n');
      return text(socket);
    };

    test('ports of a pod are forwarded, several connections at once', async () => {
      await suite.run(pod, ['sh', '-c', 'mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www'], { metadata: { name: `httpd-${transport}` } });
      await sleep(500);
      const client = await ForwardingClient.start(await urlOf('PortForward', { pod_sandbox_id: pod.id }), transport, 8080);
      const answers = await Promise.all(Array.from({ length: 20 }, async () => fetchThrough(client.port)));
      expect(answers.every((answer) => answer.endsWith('\r\n\r\nhello\n'))).toBe(true);
      expect(await client.close()).toBe('');
      await suite.cri.removeContainer((await suite.cri.listContainers()).find(({ metadata }) => metadata.name === `httpd-${transport}`)?.id ?? '');
    });

    test('ports of a pod with the host’s network are forwarded', async () => {
      const host = await suite.pod({ metadata: { name: `host-${transport}`, namespace: 'default', uid: `host-${transport}`, attempt: 0 }, linux: { security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } }, cgroup_parent: suite.node.scratch.cgroup } });
      const port = await freePort();
      await suite.run(host, ['sh', '-c', `mkdir /www; echo from host > /www/index.html; exec httpd -f -p 127.0.0.1:${port} -h /www`], { linux: { security_context: { namespace_options: { network: 'NODE', pid: 'CONTAINER' } } } });
      await sleep(500);
      const client = await ForwardingClient.start(await urlOf('PortForward', { pod_sandbox_id: host.id }), transport, port);
      expect(await fetchThrough(client.port)).toContain('from host\n');
      await client.close();
    });

    test('a port on which nothing listens is an error that names it', async () => {
      const client = await ForwardingClient.start(await urlOf('PortForward', { pod_sandbox_id: pod.id }), transport, 8099);
      expect(await fetchThrough(client.port)).toBe('');
      expect(await client.close()).toContain('error forwarding port 8099');
    });
  });

  test.each(['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'])('SPDY version %s', async (protocol) => {
    const { stdout, stderr, code } = await exec(['sh', '-c', 'echo out; exit 3'], { transport: 'spdy', streams: output, flags: [`-protocol=${protocol}`] });
    expect(stdout).toBe('out\n');
    // The client of the first version may end before it has read the error.
    if (protocol !== 'channel.k8s.io') expect([code, stderr]).toEqual(protocol.startsWith('v4') ? [3, ''] : [200, expect.stringContaining('exit status 3')]);
  });

  test('WebSocket version v4', async () => {
    expect(await exec(['sh', '-c', 'echo out; exit 3'], { transport: 'websocket', streams: output, flags: ['-protocol=v4.channel.k8s.io'] })).toEqual({ stdout: 'out\n', stderr: '', code: 3 });
  });

  test('a URL is on loopback and works once', async () => {
    const url = await urlOf('Exec', { container_id: id, cmd: ['echo', 'x'], ...output });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{22,}$/);
    expect(await new StreamingClient(url, { transport: 'spdy', streams: output }).result).toMatchObject({ stdout: 'x\n', code: 0 });
    expect(await new StreamingClient(url, { transport: 'spdy', streams: output }).result).toMatchObject({ stdout: '', code: 200 });
  });

  // Asked for before all others, so that a run of the whole file hardly waits, unless berthd was started again meanwhile.
  const unusedUrl = async (): Promise<Unused> => ({ url: await urlOf('Exec', { container_id: id, cmd: ['echo', 'late'], ...output }), pid: suite.node.pid, atMs: performance.now() });
  test('a URL that nobody used is forgotten after a minute', { timeout: 90_000 }, async () => {
    const { url, atMs } = unused.pid === suite.node.pid ? unused : await unusedUrl();
    await sleep(Math.max(0, atMs + 60_500 - performance.now()));
    expect(await new StreamingClient(url, { transport: 'spdy', streams: output }).result).toMatchObject({ stdout: '', code: 200, stderr: expect.stringContaining('no such URL') });
  });

  const none = { stdin: false, stdout: false, stderr: false };
  test.each([
    ['Exec', { cmd: ['true'], ...none }],
    ['Exec', { cmd: ['true'], ...output, tty: true }],
    ['Exec', { cmd: [], ...output }],
    ['Attach', none],
    ['Attach', { ...output, tty: true }],
  ])('%s with %j is invalid', async (method, request) => {
    await expect(suite.cri.call(method, { container_id: id, ...request })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
  });

  test('what does not exist is not found, and what does not run is told so', async () => {
    const unknown = 'f'.repeat(64);
    const created = await suite.create(pod, ['true']);
    const gone = await suite.pod({ metadata: { name: 'stopped', namespace: 'default', uid: 'stopped', attempt: 0 } });
    await suite.cri.stopPod(gone.id);
    for (const method of ['Exec', 'Attach']) {
      await expect(suite.cri.call(method, { container_id: unknown, cmd: ['true'], ...output })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
      await expect(suite.cri.call(method, { container_id: created, cmd: ['true'], ...output })).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
    }
    await expect(suite.cri.call('PortForward', { pod_sandbox_id: unknown })).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
    await expect(suite.cri.call('PortForward', { pod_sandbox_id: gone.id })).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  });

  test('berthd stops although a session is open, and tells its client', async () => {
    const client = await open(['sleep', '4323'], { transport: 'spdy', streams: output });
    await vi.waitFor(async () => { expect(await processes('sleep [4]323')).toBe('1'); }, { timeout: 5000 });
    expect(await suite.node.stop()).toBe(true);
    expect(await client.result).toMatchObject({ code: 200, stderr: expect.stringContaining('berthd is shutting down') });
    await suite.node.startAgain();
    await vi.waitFor(async () => { expect(await processes('sleep [4]323')).toBe('0'); }, { timeout: 10_000 });
    expect(await exec(['echo', 'again'], { transport: 'spdy', streams: output })).toMatchObject({ stdout: 'again\n', code: 0 });
  });
});
