import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { processesOf } from '../../fixtures/leaks.ts';
import { buildPeers, peerPath } from '../../peers/build.ts';
import { clusterPeers } from '../cluster.ts';
import { remainsOf, type Traces } from '../remains.ts';
import { buildTimeoutMs, noCluster } from './suite.ts';

describe.skipIf(noCluster)('a cluster for a person to play with', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-play-'));
  const program = join(import.meta.dirname, '../play.ts');
  const play = (command: string): string => execFileSync(process.execPath, [program, command, directory], { encoding: 'utf8' });
  const state = (): { readonly pid: number; readonly traces: Traces } => JSON.parse(readFileSync(join(directory, 'cluster.json'), 'utf8')) as ReturnType<typeof state>;

  /** Runs a line of what `up` printed as a person would. */
  const shell = (explained: string, line: string): string => {
    const [exported = ''] = /export KUBECONFIG=\S+/.exec(explained) ?? [];
    return execFileSync('sh', ['-c', `${exported}; kubectl() { ${peerPath('kubectl')} "$@"; }; ${line}`], { encoding: 'utf8' });
  };

  const createLine = (explained: string): string => /kubectl create deployment .*/.exec(explained)?.[0] ?? '';

  beforeAll(async () => {
    await buildPeers(clusterPeers);
  }, buildTimeoutMs);
  afterAll(() => {
    play('down');
    rmSync(directory, { recursive: true, force: true });
  });

  test('it says how to use it, does what it says, and leaves nothing', () => {
    const explained = play('up');
    const { traces } = state();
    expect(shell(explained, createLine(explained))).toBe('deployment.apps/web created\n');
    expect(shell(explained, 'kubectl rollout status deployment/web')).toContain('successfully rolled out');
    expect(explained).toContain(play('up'));
    play('down');
    expect(remainsOf(traces)).toEqual([]);
  });

  test('one that is interrupted while it comes up ends with that', async () => {
    const holders = (): readonly string[] => processesOf({ dir: `hold ${directory}`, cgroup: '/none' }, new Set());
    const up = spawn(process.execPath, [program, 'up', directory]);
    // Until it has begun to start what a cluster is made of.
    await vi.waitFor(() => {
      const [pid = ''] = holders()[0]?.split(' ', 1) ?? [];
      expect(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')).not.toBe('');
    }, { timeout: 20_000 });
    up.kill('SIGINT');
    const [errors, [code]] = await Promise.all([text(up.stderr), once(up, 'exit')]);
    expect([errors, code]).toEqual(['the cluster did not come up: it was interrupted\n', 1]);
    expect(holders()).toEqual([]);
    expect(play('down')).toBe('no cluster is up\n');
  });

  test('it is taken down also when what held it was killed', async () => {
    const explained = play('up');
    const { pid, traces } = state();
    shell(explained, `${createLine(explained)}; kubectl rollout status deployment/web`);
    process.kill(pid, 'SIGKILL');
    await sleep(500);
    expect(remainsOf(traces)).not.toEqual([]);
    expect(() => play('up')).toThrow('make cluster-down');
    play('down');
    expect(remainsOf(traces)).toEqual([]);
  });
});
