import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { CriSuite, waiting, type SuitePod } from '../cri/suite.ts';
import { startBerth } from '../fixtures/daemon.ts';

const program = join(import.meta.dirname, '../../bin/berth');
const run = promisify(execFile);

let suite: CriSuite;
let pod: SuitePod;
let container: string;

beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
  container = await suite.run(pod, ['sh', '-c', `echo out; echo err >&2; ${waiting[2] ?? ''}`], { metadata: { name: 'main' } });
  await vi.waitFor(async () => {
    expect((await berth('logs', container)).stdout).toContain('out');
  }, 5000);
});

afterAll(async () => suite?.close());

/** Runs the tool against the suite's daemon. */
async function berth(...args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return run(program, ['--endpoint', suite.node.socket, ...args]);
}

/** Runs it with --json and parses what it prints. */
async function json(...args: readonly string[]): Promise<unknown> {
  return JSON.parse((await berth('--json', ...args)).stdout);
}

async function failure(...args: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  try {
    await berth(...args);
  } catch (error) {
    return error as { code: number; stderr: string };
  }
  throw new Error(`berth ${args.join(' ')} did not fail`);
}

test('images, pods and ps list what is there, as a table and as JSON', async () => {
  expect((await berth('images')).stdout).toContain(suite.busybox);
  expect(await json('images')).toContainEqual(expect.objectContaining({ repo_tags: [suite.busybox] }));
  expect((await berth('pods')).stdout).toMatch(new RegExp(`${pod.id.slice(0, 13)} .* ready `));
  expect(await json('pods')).toContainEqual(expect.objectContaining({ id: pod.id }));
  expect((await berth('ps')).stdout).toMatch(new RegExp(`${container.slice(0, 13)} .* running .* main `));
  expect((await berth('ps', '--all', '--quiet')).stdout.trim()).toBe(container);
});

test('ps shows exited containers only when asked', async () => {
  const { id } = await suite.finish(pod, ['true'], { metadata: { name: 'short' } });
  expect((await berth('ps')).stdout).not.toContain(id.slice(0, 13));
  expect((await berth('ps', '-a')).stdout).toContain(id.slice(0, 13));
  await suite.cri.removeContainer(id);
});

test('logs keep both streams apart; a name finds its container', async () => {
  const { stdout, stderr } = await berth('logs', 'main');
  expect([stdout, stderr]).toEqual(['out\n', 'err\n']);
});

test('with --json a log is an object a line', async () => {
  const entries = (await berth('logs', 'main', '--json')).stdout.trim().split('\n').map((line) => JSON.parse(line) as object);
  expect(entries).toContainEqual({ time: expect.stringMatching(/^\d{4}-/), stream: 'stdout', partial: false, content: 'out' });
  expect(entries).toContainEqual(expect.objectContaining({ stream: 'stderr', content: 'err' }));
});

test('options of all commands are taken before and after the command, and keys are spelt one way', async () => {
  const documents = await Promise.all(['images', 'pods', 'ps', 'info', 'trace main'].map(async (line) => (await berth(...line.split(' '), '--json')).stdout));
  for (const text of documents) {
    expect(text).toMatch(/"[a-z]+_[a-z_]+":/);
    expect(text).not.toMatch(/"[a-z]+[A-Z]\w*":/);
  }
  expect((await run(program, ['pods', '--quiet', '-e', `unix://${suite.node.socket}`])).stdout).toBe(`${pod.id}\n`);
  expect((await run(program, ['--version'])).stdout).toMatch(/^berth \d+\.\d+\.\d+\n$/);
});

test('logs --follow ends with the container', async () => {
  const id = await suite.run(pod, ['sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.2; done'], { metadata: { name: 'counting' }, log_path: 'counting.log' });
  expect((await berth('logs', '--follow', id)).stdout).toBe('1\n2\n3\n');
  await suite.cri.removeContainer(id);
});

test('exec hands on output and exit code', async () => {
  expect((await berth('exec', container, 'echo', '-n', 'hi')).stdout).toBe('hi');
  expect(await failure('exec', container, 'sh', '-c', 'echo no >&2; exit 3')).toMatchObject({ code: 3, stderr: 'no\n' });
  expect((await failure('exec', container, 'absent')).code).not.toBe(0);
  expect((await berth('exec', 'main', '--', 'echo', '--', 'hi')).stdout).toBe('-- hi\n');
  expect((await failure('exec', '-it', 'main', 'sh')).stderr).toContain('crictl exec -it');
  for (const timeout of ['x', '1s', '-1', '']) expect((await failure('exec', `--timeout=${timeout}`, 'main', 'true')).stderr).toMatch(/^berth: option '--timeout <seconds>'.*whole seconds/);
});

test('a name means the container that runs', async () => {
  const { id } = await suite.finish(pod, ['true'], { metadata: { name: 'twice' } });
  const running = await suite.run(pod, waiting, { metadata: { name: 'twice', attempt: 1 } });
  expect((await berth('exec', 'twice', 'echo', 'hi')).stdout).toBe('hi\n');
  await suite.cri.stopContainer(running, 0);
  for (const each of [id, running]) await suite.cri.removeContainer(each);
});

test('pull shows its phases and names the image', async () => {
  const reference = await suite.registry.push('cli/pulled', '1', suite.images.busybox('cli-pulled'));
  const { stdout, stderr } = await berth('pull', reference);
  expect(stdout).toMatch(/^sha256:[0-9a-f]{64} {2}/);
  expect(stderr).toContain('downloading');
  const other = await suite.registry.push('cli/aaa', '1', suite.images.busybox('cli-pulled'));
  expect((await berth('pull', other)).stdout).toMatch(new RegExp(`^sha256:[0-9a-f]{64} {2}${other}\\n$`));
  expect(await json('pull', reference)).toMatchObject({ repo_tags: expect.arrayContaining([reference, other]) });
  expect((await failure('pull', `${suite.registry.host}/cli/absent:1`)).stderr).toContain('cli/absent:1');
});

test('trace draws the waterfall of a start', async () => {
  const text = (await berth('trace', pod.id.slice(0, 13))).stdout;
  for (const phase of ['namespaces', 'cni', 'snapshot', 'shim', 'oci-start']) expect(text).toMatch(new RegExp(`^ {2}${phase} +\\d+\\.\\d ms +█`, 'm'));
  expect(await json('trace', container)).toMatchObject({ waterfalls: [{ kind: 'container', id: container }] });
  expect(await json('trace', 'main')).toMatchObject({ waterfalls: [{ kind: 'container', id: container }] });
  expect((await failure('trace', 'nothing')).stderr).toBe('berth: no pod or container has the id or name "nothing"; see: berth pods and berth ps --all\n');
});

test('info tells versions, conditions and the health of the agent', async () => {
  const text = (await berth('info')).stdout;
  expect(text).toMatch(/^berth \d+\.\d+/);
  expect(text).toMatch(/RuntimeReady +yes/);
  expect(await json('info')).toMatchObject({ version: { runtime_api_version: 'v1' }, daemon: { agent: expect.anything() } });
});

test('import loads an archive that is not there with an error that names it', async () => {
  expect((await failure('import', '/nonexistent/image.tar')).stderr).toContain('/nonexistent/image.tar');
});

test('config check says what is wrong and where', async () => {
  const file = join(suite.node.scratch.dir, 'wrong.toml');
  writeFileSync(file, 'state_rot = "/x"\n');
  const { code, stderr } = await failure('config', 'check', file);
  expect(code).toBe(1);
  expect(stderr).toContain('state_rot');
  expect(stderr).toContain('state_root');
  const good = join(suite.node.scratch.dir, 'config.toml');
  expect((await berth('config', 'check', good)).stdout).toContain('good');
  expect(await json('config', 'check', good)).toEqual({ file: good, good: true });
  expect(JSON.parse(((await failure('--json', 'config', 'check', file)) as unknown as { stdout: string }).stdout)).toMatchObject({ file, good: false, error: expect.stringContaining('state_rot') });
});

test.each(['bash', 'zsh', 'fish'])('the %s completion names every command', async (shell) => {
  const script = (await berth('completion', shell)).stdout;
  for (const command of ['images', 'pods', 'ps', 'logs', 'exec', 'pull', 'import', 'trace', 'info', 'config', 'stop']) expect(script).toContain(command);
});

test('bash takes its completion', async () => {
  const script = (await berth('completion', 'bash')).stdout;
  const complete = `${script}\nCOMP_WORDS=(berth tr); COMP_CWORD=1; _berth; echo "\${COMPREPLY[@]}"`;
  expect((await run('bash', ['-c', complete])).stdout).toBe('trace\n');
  const words = async (...typed: readonly string[]): Promise<string> => {
    const line = `${script}\nberth() { '${program}' --endpoint '${suite.node.socket}' "$@"; }; COMP_WORDS=(berth ${typed.join(' ')} ''); COMP_CWORD=${typed.length + 1}; _berth; echo "\${COMPREPLY[@]}"`;
    return (await run('bash', ['-c', line])).stdout.trim();
  };
  expect([await words('config'), await words('completion'), await words('images')]).toEqual(['check', 'bash zsh fish', '']);
  expect((await words('trace')).split(' ').toSorted()).toEqual([pod.id, container].toSorted());
});

test.each(['trace x', 'ps', 'pods', 'images', 'info', 'stop --all', 'logs x', 'exec x true', 'pull x'])('without a daemon berth %s says so', async (line) => {
  const said = expect.stringMatching(/^berth: cannot reach berthd at \/nonexistent\/\w+\.sock: connect ENOENT \/nonexistent\/\w+\.sock; is berthd running, /);
  await expect(run(program, ['--endpoint', '/nonexistent/berth.sock', ...line.split(' ')])).rejects.toMatchObject({ code: 1, stderr: said });
});

test('a daemon without pods answers with nothing, or with an empty list', async () => {
  // Its CRI socket is not in its run root, where its own API is.
  const elsewhere = mkdtempSync(join(tmpdir(), 'bt-'));
  await using node = await startBerth({ config: { run_root: elsewhere } });
  const ask = async (...args: readonly string[]): Promise<string> => (await run(program, ['-e', node.socket, ...args])).stdout;
  expect([await ask('pods', '-q'), await ask('ps', '-aq'), await ask('stop', '--all'), await ask('stop', '--all', '--json')]).toEqual(['', '', '', '[]\n']);
  expect(await ask('info')).toContain('RuntimeReady');
  await node.close();
  rmSync(elsewhere, { recursive: true });
});

test('stop ends the containers of a pod by their signal first; --all and names exclude each other', async () => {
  const other = await suite.pod({ metadata: { name: 'other', namespace: 'default', uid: 'u', attempt: 0 } });
  const stopped = await suite.trap(other, ['exit 7', 'TERM']);
  expect((await berth('stop', 'default/other')).stdout).toBe(`${other.id}\n`);
  expect(await suite.cri.containerStatus(stopped)).toMatchObject({ state: 'CONTAINER_EXITED', exit_code: 7 });
  expect((await suite.cri.podStatus(other.id)).state).toBe('SANDBOX_NOTREADY');
  expect((await suite.cri.podStatus(pod.id)).state).toBe('SANDBOX_READY');
  for (const args of [[], ['--all', pod.id], ['nonesuch'], ['--all', '--grace', '1s']]) expect((await failure('stop', ...args)).code).toBe(1);
  expect((await berth('pods', '--quiet')).stdout.trim().split('\n').toSorted()).toEqual([other.id, pod.id].toSorted());
  const ids = (await json('stop', '--all', '--grace', '0')) as readonly string[];
  expect(ids.toSorted()).toEqual([other.id, pod.id].toSorted());
  expect((await suite.cri.podStatus(pod.id)).state).toBe('SANDBOX_NOTREADY');
});
