import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPeers, peerPath } from '../../peers/build.ts';
import { clusterPeers } from '../cluster.ts';
import { remainsOf, type Traces } from '../remains.ts';
import { buildTimeoutMs, noCluster } from './suite.ts';

describe.skipIf(noCluster)('a cluster for a person to play with', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-play-'));
  const play = (command: string): string => execFileSync(process.execPath, [join(import.meta.dirname, '../play.ts'), command, directory], { encoding: 'utf8' });
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
