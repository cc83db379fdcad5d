import { request } from 'node:http';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CriSuite, waiting, type SuitePod } from './suite.ts';
import { freePort } from '../fixtures/free-port.ts';

let suite: CriSuite;
let pod: SuitePod;
let container: string;
let metricsUrl: string;
beforeAll(async () => {
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}`;
  suite = await CriSuite.start({ metrics: { listen: `127.0.0.1:${port}` } });
  pod = await suite.pod();
  container = await suite.run(pod, [...waiting], { metadata: { name: 'main' } });
});
afterAll(async () => suite.close());

async function debug(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    request({ socketPath: join(suite.node.scratch.dir, 'run/debug.sock'), method, path }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += String(chunk); });
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, text }); });
    })
      .on('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}

test('/healthz and /metrics answer', async () => {
  expect(await (await fetch(`${metricsUrl}/healthz`)).text()).toBe('ok\n');
  const text = await (await fetch(`${metricsUrl}/metrics`)).text();
  const value = (series: string) => Number(text.split('\n').find((line) => line.startsWith(`${series} `))?.split(' ').at(-1));
  expect(value('berth_pods{state="ready"}')).toBe(1);
  expect(value('berth_containers{state="running"}')).toBe(1);
  expect(value('berth_images')).toBe((await suite.cri.listImages()).length);
  expect(value('berth_agent_up')).toBe(1);
  expect(value('berth_shims_silent')).toBe(0);
  expect(value('berth_pull_bytes_total')).toBeGreaterThan(100_000);
  expect(value('berth_operation_seconds_count{operation="run-pod",outcome="ok"}')).toBe(1);
  expect(value('berth_operation_seconds_count{operation="start-container",outcome="ok"}')).toBe(1);
  expect(value('berth_rpc_seconds_count{method="RunPodSandbox"}')).toBe(1);
  expect(text).toContain(`berth_container_io_read_bytes{container="${container}",pod="${pod.id}",name="main"}`);
  expect(text).toMatch(/^berth_start_phase_seconds_count\{operation="run-pod",phase="[^"]+"\} 1$/m);
  expect(text).toMatch(/^berth_layer_written_bytes\{layer="sha256:[0-9a-f]{64}"\} [1-9]/m);
});

test('a frozen agent costs a scrape nothing but what it would have read', async () => {
  const agent = suite.node.pids.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'berth-agent');
  if (agent === undefined) throw new Error('no agent runs');
  process.kill(agent, 'SIGSTOP');
  try {
    const answer = await fetch(`${metricsUrl}/metrics`);
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(text).toContain('berth_containers{state="running"} 1');
    expect(text).not.toContain('berth_container_io_read_bytes{');
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  await expect.poll(async () => (await fetch(`${metricsUrl}/metrics`)).text()).toContain('berth_container_io_read_bytes{');
});

test('the debug socket is for root alone', () => {
  expect(lstatSync(join(suite.node.scratch.dir, 'run/debug.sock')).mode & 0o777).toBe(0o600);
});

test('info tells about the daemon and its agent', async () => {
  expect(JSON.parse((await debug('GET', '/v1/info')).text)).toMatchObject({ pid: suite.node.pid, ready: true, agent: { healthy: true, restarts: 0 }, pods: 1, containers: 1, images: (await suite.cri.listImages()).length });
});

test('a trace by prefix shows where the start of pod and container went', async () => {
  const { waterfalls } = JSON.parse((await debug('GET', `/v1/trace/${pod.id.slice(0, 12)}`)).text) as { waterfalls: readonly { kind: string; id: string; phases: readonly { name: string; durationMs: number }[] }[] };
  expect(waterfalls.map(({ kind, id }) => [kind, id])).toEqual([['pod', pod.id], ['container', container]]);
  for (const { phases } of waterfalls) {
    expect(phases.length).toBeGreaterThan(1);
    expect(phases.every(({ durationMs }) => durationMs >= 0)).toBe(true);
  }
});

test('a pull over the debug socket tells its progress', async () => {
  const reference = await suite.registry.push('progress', '1', suite.images.busybox('progress'));
  const { text } = await debug('POST', '/v1/pull', { reference });
  const lines = text.trim().split('\n').map((line) => JSON.parse(line) as { progress?: { phase: string }; image?: { repoTags: readonly string[] } });
  expect(lines.at(-1)?.image?.repoTags).toEqual([reference]);
  expect(lines.slice(0, -1).every(({ progress }) => progress !== undefined)).toBe(true);
  expect(JSON.parse((await debug('GET', '/v1/pulls')).text)).toEqual({ pulls: [] });
});
