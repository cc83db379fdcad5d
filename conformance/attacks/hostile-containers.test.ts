/** Images and processes that pretend to be what they are not, or reach for what no container needs. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { noHoldings } from '../fixtures/leaks.ts';
import { readLog, textOf } from '../cri/log-file.ts';
import { CriSuite, waiting } from '../cri/suite.ts';

let suite: CriSuite;
let image: string;
beforeAll(async () => {
  suite = await CriSuite.start();
  image = await suite.pull('attacker', suite.images.attacker());
});
afterEach(async () => {
  await suite.node.removePods();
  expect(await suite.node.leaks()).toEqual(noHoldings);
});
afterAll(async () => suite.close());

const namespaceOptions = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;
const as = (context: object) => ({ linux: { security_context: { namespace_options: namespaceOptions, ...context } } }) as const;

describe('an image that calls root by a number that is no id', () => {
  test.each(['4294967295', '4294967296', '100000000000', '-1', '0x0', '+0'])('%s runs as nobody at all', async (word) => {
    const numbered = await suite.pull(`root-${word.replace('+', 'plus')}`, suite.images.numericRoot(`root-${word}`, word));
    const pod = await suite.pod();
    const refused = { code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('out of range') };
    await expect(suite.create(pod, ['id'], { image: { image: numbered } })).rejects.toMatchObject(refused);
    await expect(suite.create(pod, ['id'], { image: { image: numbered }, ...as({ run_as_username: word }) })).rejects.toMatchObject(refused);
    if (!/^\d+$/.test(word)) return;
    const beyond = { code: grpcStatus.INVALID_ARGUMENT, details: expect.stringContaining('must be from 0 to 4294967294') };
    const value = { value: word };
    for (const context of [{ run_as_user: value }, { run_as_user: { value: '1' }, run_as_group: value }, { run_as_user: { value: '1' }, supplemental_groups: [word] }]) {
      await expect(suite.create(pod, ['id'], { image: { image: numbered }, ...as(context) })).rejects.toMatchObject(beyond);
    }
  });

  test('the largest id is one', async () => {
    const pod = await suite.pod();
    const { log_path: log } = await suite.finish(pod, ['id', '-u'], as({ run_as_user: { value: '4294967294' } }));
    expect(textOf(readLog(log))).toBe('4294967294\n');
  });
});

test('the default profile opens no AF_ALG and no AF_VSOCK socket, nor those by the 32-bit socketcall', async () => {
  const { log_path: log } = await suite.finish(await suite.pod(), ['/attacker', 'sockets'], { image: { image }, ...as({ seccomp: {} }) });
  const said = textOf(readLog(log)).split('\n');
  for (const line of ['socket 38: EPERM', 'socket 40: EPERM', 'socket 1: open', 'socket 2: open']) expect(said).toContain(line);
  // ENOSYS: a kernel that runs no 32-bit programs.
  for (const family of [2, 38, 40]) expect(said.find((line) => line.startsWith(`socketcall ${family}:`))).toMatch(/EPERM|ENOSYS/);
});

test('a container that calls itself a program of berth’s holds up no restart and outlives it', async () => {
  const root = join(suite.node.scratch.dir, 'state');
  const pod = await suite.pod();
  const envs = [{ key: 'BERTH_AGENT_ROOT', value: Buffer.from(root) }];
  const marked = await suite.run(pod, [...waiting], { envs });
  const named = await suite.run(pod, ['sh', '-c', 'cp /attacker /berth-agent; exec /berth-agent wait --root "$0"', root], { image: { image } });
  const pidOf = async (id: string): Promise<string> => (await suite.cri.execSync(id, ['cat', '/proc/1/stat'])).stdout.toString().split(' ')[21] ?? '';
  const before = [await pidOf(marked), await pidOf(named)];
  await suite.node.kill();
  await suite.node.startAgain();
  expect([await pidOf(marked), await pidOf(named)]).toEqual(before);
  expect(suite.node.log()).not.toMatch(/earlier agent/);
});

test('execs whose children stay in the background end at once, and leave nothing in the daemon', async () => {
  const id = await suite.run(await suite.pod(), [...waiting]);
  const linger = async (): Promise<string> => (await suite.cri.execSync(id, ['sh', '-c', 'sleep 1000 & echo done'])).stdout.toString();
  const descriptors = (): number => readdirSync(`/proc/${suite.node.pid}/fd`).length;
  expect(await linger()).toBe('done\n');
  const before = descriptors();
  for (let run = 0; run < 20; run += 1) expect(await linger()).toBe('done\n');
  await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThan(before + 5);
});
