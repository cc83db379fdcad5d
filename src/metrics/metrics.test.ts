import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { collectFrom } from './collect.ts';
import { MetricsServer } from './metrics-server.ts';
import type { ContainerIo, ScrapeSource } from './port.ts';
import { collectProcess } from './process-metrics.ts';
import { createMetrics } from './registry.ts';

const io = (index: number): ContainerIo => ({ container: `c${index}`, pod: 'p', name: 'main', readBytes: BigInt(index), writeBytes: 2n });

const source = (over: Partial<ScrapeSource> = {}): ScrapeSource => ({
  podsByState: () => ({ ready: 2 }),
  containersByState: () => ({ running: 3, exited: 1 }),
  agent: () => ({ healthy: true, restarts: 1 }),
  pullsUnderWay: () => 0,
  images: () => 4,
  runtimes: () => [{ handler: 'old', version: 'runc 1.1.5', advisories: 7 }],
  containerIo: async () => ({ answered: [io(1)], running: 3 }),
  layers: () => [{ layer: 'sha256:a', bytes: 10 }],
  ...over,
});

const seriesOf = (text: string, name: string): readonly string[] => text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

test('phases and whole operations are observed side by side', async () => {
  const metrics = createMetrics();
  metrics.startPhase('run-pod', 'cni', 0.008);
  metrics.operation('run-pod', 'ok', 0.01);
  metrics.containerExited('OOMKilled');
  const text = await metrics.registry.metrics();
  expect(seriesOf(text, 'berth_start_phase_seconds_sum')).toEqual(['berth_start_phase_seconds_sum{operation="run-pod",phase="cni"} 0.008']);
  expect(seriesOf(text, 'berth_operation_seconds_sum')).toEqual(['berth_operation_seconds_sum{operation="run-pod",outcome="ok"} 0.01']);
  expect(seriesOf(text, 'berth_container_exits_total')).toEqual(['berth_container_exits_total{reason="OOMKilled"} 1']);
});

test('phase names that a shim makes up cannot grow without bound', async () => {
  const metrics = createMetrics();
  for (let index = 0; index < 200; index += 1) metrics.startPhase('start-container', `p${index}`, 0.001);
  expect(seriesOf(await metrics.registry.metrics(), 'berth_start_phase_seconds_count')).toHaveLength(65);
});

test('a failed call counts as a call and as an error', async () => {
  const metrics = createMetrics();
  metrics.rpcEnded('Version', 'OK', 0.001);
  metrics.rpcEnded('Version', 'UNAVAILABLE', 0.001);
  const text = await metrics.registry.metrics();
  expect(seriesOf(text, 'berth_rpc_seconds_count')).toEqual(['berth_rpc_seconds_count{method="Version"} 2']);
  expect(seriesOf(text, 'berth_rpc_errors_total')).toEqual(['berth_rpc_errors_total{method="Version",code="UNAVAILABLE"} 1']);
});

test('a scrape reads the daemon, and states that emptied disappear', async () => {
  const metrics = createMetrics();
  let containers: Readonly<Record<string, number>> = { running: 3, exited: 1 };
  collectFrom(metrics.registry, source({ containersByState: () => containers }));
  const first = await metrics.registry.metrics();
  expect(seriesOf(first, 'berth_containers')).toEqual(['berth_containers{state="running"} 3', 'berth_containers{state="exited"} 1']);
  expect(seriesOf(first, 'berth_container_io_read_bytes')).toEqual(['berth_container_io_read_bytes{container="c1",pod="p",name="main"} 1']);
  expect(seriesOf(first, 'berth_shims_silent')).toEqual(['berth_shims_silent 2']);
  expect(seriesOf(first, 'berth_layer_written_bytes')).toEqual(['berth_layer_written_bytes{layer="sha256:a"} 10']);
  expect(seriesOf(first, 'berth_runtime_known_vulnerabilities')).toEqual(['berth_runtime_known_vulnerabilities{handler="old",version="runc 1.1.5"} 7']);
  containers = { running: 4 };
  expect(seriesOf(await metrics.registry.metrics(), 'berth_containers')).toEqual(['berth_containers{state="running"} 4']);
});

test('without readings of containers a scrape has all but those', async () => {
  const metrics = createMetrics();
  let away = false;
  const containerIo = async () => {
    if (away) throw new Error('berth-agent does not run');
    return { answered: [io(1)], running: 3 };
  };
  collectFrom(metrics.registry, source({ containerIo, agent: () => ({ healthy: !away, restarts: 1 }) }));
  const ofContainers = (text: string): readonly string[] => ['berth_container_io_read_bytes', 'berth_container_io_written_bytes', 'berth_shims_silent'].flatMap((name) => seriesOf(text, name));
  expect(ofContainers(await metrics.registry.metrics())).toHaveLength(3);
  away = true;
  const text = await metrics.registry.metrics();
  expect(seriesOf(text, 'berth_agent_up')).toEqual(['berth_agent_up 0']);
  expect(seriesOf(text, 'berth_containers')).toHaveLength(2);
  expect(ofContainers(text)).toEqual([]);
  away = false;
  expect(ofContainers(await metrics.registry.metrics())).toHaveLength(3);
});

test('a name reaches no terminal as more than text', async () => {
  const metrics = createMetrics();
  collectFrom(metrics.registry, source({ containerIo: async () => ({ answered: [{ ...io(1), name: 'a\u001b[31m\u202eb' }], running: 1 }) }));
  expect(seriesOf(await metrics.registry.metrics(), 'berth_container_io_read_bytes')[0]).toContain('name="a\ufffd[31m\ufffdb"');
});

test('series with ids are capped, keeping the largest layers', async () => {
  const metrics = createMetrics();
  const many = Array.from({ length: 700 }, (_, index) => index);
  collectFrom(metrics.registry, source({ containerIo: async () => ({ answered: many.map(io), running: 700 }), layers: () => many.map((bytes) => ({ layer: `l${bytes}`, bytes })) }));
  const text = await metrics.registry.metrics();
  expect(seriesOf(text, 'berth_container_io_read_bytes')).toHaveLength(500);
  expect(seriesOf(text, 'berth_layer_written_bytes').at(0)).toBe('berth_layer_written_bytes{layer="l699"} 699');
  expect(seriesOf(text, 'berth_layer_written_bytes')).toHaveLength(500);
});

test('every metric is named berth_ and helps', async () => {
  const metrics = createMetrics();
  collectFrom(metrics.registry, source());
  collectProcess(metrics.registry);
  const all = await metrics.registry.getMetricsAsJSON();
  expect(all.length).toBeGreaterThan(15);
  expect(all.filter(({ name, help }) => !name.startsWith('berth_') || help.length < 10)).toEqual([]);
});

let scratch = '';
let server: MetricsServer | undefined;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-metrics-'));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(scratch, { recursive: true });
});

async function get(path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    request({ socketPath: join(scratch, 'm.sock'), path }, (response) => {
      let body = '';
      response.on('data', (chunk) => { body += String(chunk); });
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, body }); });
    })
      .on('error', reject)
      .end();
  });
}

test('/metrics and /healthz answer on a unix socket', async () => {
  let healthy = false;
  const metrics = createMetrics();
  server = new MetricsServer(metrics.registry, { listen: join(scratch, 'm.sock'), healthy: () => healthy });
  await server.listen();
  expect(await get('/healthz')).toEqual({ status: 503, body: 'not ready\n' });
  healthy = true;
  expect(await get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
  expect((await get('/metrics')).body).toContain('# HELP berth_recovery_seconds');
  expect((await get('/')).status).toBe(404);
});

test('a collector that fails is a failed scrape, not a crash', async () => {
  const metrics = createMetrics();
  collectFrom(metrics.registry, source({ layers: () => { throw new Error('stuck'); } }));
  server = new MetricsServer(metrics.registry, { listen: join(scratch, 'm.sock'), healthy: () => true });
  await server.listen();
  expect(await get('/metrics')).toEqual({ status: 500, body: 'cannot collect: stuck\n' });
});

test.each(['nonsense', '127.0.0.1', 'localhost:x'])('the address %s is refused', async (listen) => {
  const bad = new MetricsServer(createMetrics().registry, { listen, healthy: () => true });
  await expect(bad.listen()).rejects.toMatchObject({ kind: 'invalid' });
});
