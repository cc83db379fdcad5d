/** What a container uses and what holds it back, the same for every shim and OCI runtime. It needs root. */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeHandlers } from './lab.ts';

describeHandlers((handler, lab) => {
  const { name, lacks } = handler;

  const unlessLacking = (what: string | undefined, skip: (note: string) => void): void => {
    if (what === undefined) return;
    console.warn(`skipped: ${name}: ${what}`);
    skip(what);
  };

  test('statistics tell what the container uses', async () => {
    const { task } = await lab().running({ script: 'x=$(head -c 3000000 /dev/zero | tr "\\0" a); while :; do sleep 0.1; done', memoryLimit: 64 << 20 });
    await expect.poll(async () => Number((await task.stats()).memory.usageBytes)).toBeGreaterThan(100_000);
    const { memory, pids } = await task.stats();
    expect(memory.workingSetBytes).toBeLessThanOrEqual(memory.usageBytes);
    expect(pids.current).toBeGreaterThanOrEqual(1n);
  });

  test('statistics tell the CPU time and the limit', async ({ skip }) => {
    unlessLacking(lacks?.limits, skip);
    const { task } = await lab().running({ script: 'while :; do :; done', memoryLimit: 64 << 20 });
    await expect.poll(async () => Number((await task.stats()).cpu.usageNs), { timeout: 10_000 }).toBeGreaterThan(50e6);
    expect((await task.stats()).memory.limitBytes).toBe(BigInt(64 << 20));
  });

  test('a limit can be changed', async ({ skip }) => {
    unlessLacking(lacks?.update, skip);
    const { task, bundle } = await lab().running({ script: 'sleep 1000', memoryLimit: 64 << 20 });
    await task.update({ memory: { limit: 96 << 20, swap: 96 << 20 } });
    const limits = globSync(`/sys/fs/cgroup/{memory/,}${basename(dirname(dirname(bundle.path)))}/${bundle.id.slice(0, 12)}/memory.{limit_in_bytes,max}`);
    expect(limits.map((file) => Number(readFileSync(file, 'utf8')))).toEqual([96 << 20]);
    if (lacks?.limits === undefined) expect((await task.stats()).memory.limitBytes).toBe(BigInt(96 << 20));
  });

  test('a paused container does not run until it is resumed', async () => {
    const { task } = await lab().running({ script: 'while :; do :; done' });
    await task.pause();
    expect((await task.state()).status).toBe('paused');
    const still = (await task.stats()).cpu.usageNs;
    await sleep(200);
    expect((await task.stats()).cpu.usageNs - still).toBeLessThan(20_000_000n);
    await task.resume();
    expect((await task.state()).status).toBe('running');
  });

  test('a container that runs out of memory is told as such, in the very first answer', async () => {
    const { task } = await lab().running({ script: 'dd if=/dev/zero of=/dev/null bs=40M', memoryLimit: 16 << 20 });
    const exit = await task.wait();
    // The shell may be the one that is killed, or its child.
    expect(exit?.exitCode).toBe(137);
    expect(exit?.oomKilled).toBe(true);
  });
});
