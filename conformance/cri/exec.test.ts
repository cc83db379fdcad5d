import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

let suite: CriSuite;
let pod: SuitePod;
let id: string;
beforeAll(async () => {
  suite = await CriSuite.start();
  pod = await suite.pod();
  id = await suite.run(pod, [...waiting]);
});
afterAll(async () => suite.close());

test('stdout, stderr and the exit code come back apart', async () => {
  const { stdout, stderr, exit_code: code } = await suite.cri.execSync(id, ['sh', '-c', 'printf out; printf err >&2; exit 42']);
  expect([stdout.toString(), stderr.toString(), code]).toEqual(['out', 'err', 42]);
});

test('output is bytes, not text', async () => {
  const { stdout } = await suite.cri.execSync(id, ['sh', '-c', String.raw`printf '\377\000\n\r'`]);
  expect([...stdout]).toEqual([255, 0, 10, 13]);
});

test('a timeout is DeadlineExceeded, and the process is dead by then', async () => {
  const began = Date.now();
  await expect(suite.cri.execSync(id, ['sleep', '4321'], 1)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
  expect(Date.now() - began).toBeLessThan(5000);
  expect((await suite.cri.execSync(id, ['sh', '-c', 'ps -o args | grep -c "sleep [4]321"'])).stdout.toString()).toBe('0\n');
});

test('a command that ends in time is not disturbed by its timeout', async () => {
  expect((await suite.cri.execSync(id, ['echo', 'quick'], 10)).stdout.toString()).toBe('quick\n');
});

test("a client that leaves takes the command's process along", async () => {
  await expect(suite.cri.call('ExecSync', { container_id: id, cmd: ['sleep', '4322'] }, 500)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
  await sleep(1000);
  expect((await suite.cri.execSync(id, ['sh', '-c', 'ps -o args | grep -c "sleep [4]322"'])).stdout.toString()).toBe('0\n');
});

test('a command whose container is removed meanwhile ends with it', async () => {
  const doomed = await suite.run(pod, [...waiting], { metadata: { name: 'doomed' } });
  const running = suite.cri.execSync(doomed, ['sh', '-c', 'echo begun; sleep 4323']).then(({ exit_code: code }) => code, (error: { code: number }) => `failed ${error.code}`);
  await expect.poll(async () => (await suite.cri.execSync(doomed, ['sh', '-c', 'ps -o args | grep -c "^sleep [4]323"'])).stdout.toString(), { timeout: 10_000 }).toBe('1\n');
  await suite.cri.removeContainer(doomed);
  expect([137, `failed ${grpcStatus.NOT_FOUND}`, `failed ${grpcStatus.FAILED_PRECONDITION}`, `failed ${grpcStatus.UNAVAILABLE}`]).toContain(await running);
});

test('large output comes whole', async () => {
  const { stdout } = await suite.cri.execSync(id, ['sh', '-c', 'head -c 3000000 /dev/zero']);
  expect(stdout.length).toBe(3_000_000);
});

test('more output than fits an answer is cut, silently, and the command still ends', async () => {
  const { stdout, exit_code: code } = await suite.cri.execSync(id, ['sh', '-c', 'head -c 20000000 /dev/zero']);
  expect(code).toBe(0);
  expect(stdout.length).toBeGreaterThan(15_000_000);
  expect(stdout.length).toBeLessThanOrEqual(16 << 20);
});

test('stdout and stderr share what fits when both are too much', async () => {
  const { stdout, stderr } = await suite.cri.execSync(id, ['sh', '-c', 'head -c 20000000 /dev/zero; echo small >&2']);
  expect([stdout.length > 15_000_000, stderr.toString()]).toEqual([true, 'small\n']);
  const both = await suite.cri.execSync(id, ['sh', '-c', 'head -c 20000000 /dev/zero & head -c 20000000 /dev/zero >&2; wait']);
  expect(both.stdout.length + both.stderr.length).toBeGreaterThan(15_000_000);
  expect(Math.min(both.stdout.length, both.stderr.length)).toBeGreaterThan(7_000_000);
});

test('fifty at once all answer', async () => {
  const outputs = await Promise.all(Array.from({ length: 50 }, async (_, index) => (await suite.cri.execSync(id, ['echo', String(index)])).stdout.toString()));
  expect(outputs).toEqual(Array.from({ length: 50 }, (_, index) => `${index}\n`));
});

test('a command that does not exist is an error that names it', async () => {
  await expect(suite.cri.execSync(id, ['/no/such/program'])).rejects.toMatchObject({ details: expect.stringMatching(/no\/such\/program|no such file|not found/i) });
});

test('an empty command is refused', async () => {
  await expect(suite.cri.execSync(id, [])).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('an unknown container is not found, and one that does not run is told so', async () => {
  await expect(suite.cri.execSync('f'.repeat(64), ['true'])).rejects.toMatchObject({ code: grpcStatus.NOT_FOUND });
  const created = await suite.create(pod, ['true'], { metadata: { name: 'created' } });
  await expect(suite.cri.execSync(created, ['true'])).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
  await suite.cri.startContainer(created);
  await suite.reaches(created, 'CONTAINER_EXITED');
  await expect(suite.cri.execSync(created, ['true'])).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
});

test('it works in a container with a terminal', async () => {
  const tty = await suite.run(pod, [...waiting], { metadata: { name: 'tty' }, tty: true });
  expect((await suite.cri.execSync(tty, ['echo', 'plain'])).stdout.toString()).toBe('plain\n');
});

test("it has the container's environment, user and working directory", async () => {
  const user = await suite.run(pod, [...waiting], {
    metadata: { name: 'user' },
    envs: [{ key: 'K', value: Buffer.from('v') }],
    working_dir: '/tmp',
    linux: { security_context: { run_as_user: { value: '1001' }, namespace_options: { pid: 'CONTAINER' } } },
  });
  expect((await suite.cri.execSync(user, ['sh', '-c', 'echo $K; id -u; pwd'])).stdout.toString()).toBe('v\n1001\n/tmp\n');
});
