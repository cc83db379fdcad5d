/** berth's metrics, alert rules and dashboard, as Prometheus' own tool sees them. promtool comes with Debian's prometheus, which is not installed for it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { collectFrom } from '../../src/metrics/collect.ts';
import { collectProcess } from '../../src/metrics/process-metrics.ts';
import { createMetrics } from '../../src/metrics/registry.ts';
import { debianPackage } from '../fixtures/debian.ts';

const deploy = join(import.meta.dirname, '../../deploy/grafana');

function findPromtool(): { readonly path: string } | { readonly lack: string } {
  try {
    return { path: join(debianPackage('prometheus'), 'usr/bin/promtool') };
  } catch (error) {
    return { lack: `Debian's prometheus, which has promtool, cannot be had: ${String(error)}` };
  }
}

const promtool = findPromtool();
if ('lack' in promtool) console.log(`skipping promtool: ${promtool.lack}`);

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const dashboard = (): Dashboard => JSON.parse(readFileSync(join(deploy, 'dashboard.json'), 'utf8')) as Dashboard;

/** Everything that berthd exports, with a value each. */
async function exposition(): Promise<string> {
  const metrics = createMetrics();
  collectFrom(metrics.registry, {
    podsByState: () => ({ ready: 1 }),
    containersByState: () => ({ running: 1 }),
    agent: () => ({ healthy: true, restarts: 0 }),
    pullsUnderWay: () => 0,
    images: () => 1,
    runtimes: () => [{ handler: 'runc', version: 'runc 1.1.5', advisories: 1 }],
    containerIo: async () => ({ answered: [{ container: 'c', pod: 'p', name: 'main', readBytes: 1n, writeBytes: 1n }], running: 1 }),
    layers: () => [{ layer: 'sha256:a', bytes: 1 }],
  });
  collectProcess(metrics.registry);
  metrics.startPhase('run-pod', 'cni', 0.01);
  metrics.operation('run-pod', 'ok', 0.01);
  metrics.containerExited('Completed');
  metrics.rpcEnded('Version', 'INTERNAL', 0.01);
  metrics.blobDownloaded(1, 1);
  metrics.layerUnpacked(1, 1);
  metrics.pullFinished('ok', 1);
  metrics.pluginEnded('bridge', 'ADD', 0.01, true);
  return metrics.registry.metrics();
}

describe.skipIf('lack' in promtool)('promtool', () => {
  const run = (args: readonly string[], input = ''): { readonly status: number | null; readonly said: string } => {
    const { status, stdout, stderr } = spawnSync('path' in promtool ? promtool.path : '', args, { input, encoding: 'utf8' });
    return { status, said: stdout + stderr };
  };

  test('has nothing to say against the metrics', async () => {
    expect(run(['check', 'metrics'], await exposition())).toEqual({ status: 0, said: '' });
  });

  test('takes the alert rules', () => {
    const { status, said } = run(['check', 'rules', join(deploy, 'alerts.yaml')]);
    expect(said).toMatch(/SUCCESS: \d+ rules found/);
    expect(status).toBe(0);
  });

  test('takes every expression of the dashboard', async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'bpt-'));
    const expressions = dashboard().panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m')));
    const rules = expressions.map((expr, index) => ({ record: `panel:${index}`, expr }));
    const file = join(directory.path, 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(run(['check', 'rules', file])).toMatchObject({ status: 0 });
  });
});

describe('alert rules and dashboard', () => {
  let known: ReadonlySet<string>;

  beforeAll(async () => {
    known = new Set([...(await exposition()).matchAll(/^(berth_\w+)/gm)].flatMap(([, name]) => name ?? []));
  });

  test.each(['alerts.yaml', 'dashboard.json'])('%s names metrics that berthd has, and no others of berth', (file) => {
    const named = [...readFileSync(join(deploy, file), 'utf8').matchAll(/\bberth_\w+/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('what an operator asks first has a panel', () => {
    const titles = dashboard().panels.map(({ title }) => title).join('\n');
    for (const subject of [/latency by phase/, /error/, /Restarts/, /Disk/, /Event loop/]) expect(titles).toMatch(subject);
  });
});
