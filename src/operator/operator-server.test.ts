import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Engine } from '../engine/port.ts';
import type { PullRequest } from '../images/port.ts';
import { BerthError } from '../lib/errors.ts';
import { createLogger } from '../telemetry/log.ts';
import { OperatorServer } from './operator-server.ts';

let scratch = '';
let server: OperatorServer;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-operator-'));
});

afterEach(async () => {
  await server.close();
  rmSync(scratch, { recursive: true });
});

async function serve(engine: object): Promise<void> {
  server = new OperatorServer({ engine: engine as Engine, log: createLogger({ level: 'error', format: 'json' }), info: () => ({ pid: 7 }) }, join(scratch, 'd.sock'));
  await server.listen();
}

async function ask(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    request({ socketPath: join(scratch, 'd.sock'), method, path }, (response) => {
      let text = '';
      response.on('data', (chunk) => { text += String(chunk); });
      response.on('end', () => { resolve({ status: response.statusCode ?? 0, text }); });
    })
      .on('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const image = { id: 'sha256:1', repoTags: ['r/a:1'], repoDigests: [], size: 5 };

test('only root may open the socket', async () => {
  await serve({});
  expect(statSync(join(scratch, 'd.sock')).mode & 0o777).toBe(0o600);
  expect(await ask('GET', '/v1/info')).toEqual({ status: 200, text: '{"pid":7}' });
});

test('a request that does not exist lists those that do', async () => {
  await serve({});
  const { status, text } = await ask('GET', '/v1/infos');
  expect(status).toBe(404);
  expect(JSON.parse(text).error).toMatch(/no such request: GET \/v1\/infos; GET \/v1\/info, /);
});

const phases = [{ name: 'cni', startMs: 0, durationMs: 5 }];
const notFound = () => { throw new BerthError('not-found', 'no such object'); };

test('a trace of a pod holds its containers too', async () => {
  const pod = { id: 'pp', config: { title: 'n/p' }, waterfall: phases };
  await serve({ pods: { get: () => pod }, containers: { list: ({ podId }: { podId: string }) => (podId === 'pp' ? [{ id: 'cc', config: { name: 'c' }, waterfall: [] }] : []) } });
  expect(JSON.parse((await ask('GET', '/v1/trace/p')).text)).toEqual({
    waterfalls: [
      { kind: 'pod', id: 'pp', name: 'n/p', phases },
      { kind: 'container', id: 'cc', name: 'c', phases: [] },
    ],
  });
});

test('a trace of a container, and of nothing', async () => {
  await serve({ pods: { get: notFound }, containers: { get: (id: string) => (id === 'c' ? { id: 'cc', config: { name: 'c' }, waterfall: phases } : notFound()) } });
  expect(JSON.parse((await ask('GET', '/v1/trace/c')).text).waterfalls).toEqual([{ kind: 'container', id: 'cc', name: 'c', phases }]);
  expect(await ask('GET', '/v1/trace/x')).toEqual({ status: 404, text: '{"error":"no such object"}' });
});

test('a pull tells its progress line by line and ends with the image', async () => {
  await serve({
    images: {
      pull: async ({ onProgress }: PullRequest) => {
        for (const phase of ['resolving', 'downloading', 'downloading', 'done'] as const) onProgress?.({ phase, layers: [] });
        return image;
      },
    },
  });
  const { text } = await ask('POST', '/v1/pull', { reference: 'r/a:1' });
  expect(text.trim().split('\n').map((line) => JSON.parse(line))).toEqual([
    ...['resolving', 'downloading', 'done'].map((phase) => ({ progress: { phase, layers: [] } })),
    { image: { id: 'sha256:1', repoTags: ['r/a:1'], repoDigests: [] } },
  ]);
});

test('a pull that fails ends with the error, and one whose client leaves is aborted', async () => {
  const aborted = Promise.withResolvers<boolean>();
  await serve({
    images: {
      pull: async ({ reference }: PullRequest, signal: AbortSignal) => {
        if (reference === 'bad') throw new BerthError('registry', 'r answered 503');
        signal.addEventListener('abort', () => { aborted.resolve(true); });
        return sleep(10_000, image, { signal });
      },
    },
  });
  expect((await ask('POST', '/v1/pull', { reference: 'bad' })).text).toBe('{"error":"r answered 503"}\n');
  const leaving = request({ socketPath: join(scratch, 'd.sock'), method: 'POST', path: '/v1/pull' }, () => { leaving.destroy(); });
  leaving.on('error', () => undefined);
  leaving.end(JSON.stringify({ reference: 'slow' }));
  await expect(aborted.promise).resolves.toBe(true);
});

test('an import needs an absolute path and answers the images', async () => {
  await serve({ images: { importArchive: async (path: string, options: object) => (path === '/a.tar' ? [{ ...image, ...options }] : []) } });
  expect(JSON.parse((await ask('POST', '/v1/import', { path: '/a.tar', reference: 'x:1' })).text)).toEqual({ images: [{ id: 'sha256:1', repoTags: ['r/a:1'], repoDigests: [] }] });
  expect((await ask('POST', '/v1/import', { path: 'a.tar' })).status).toBe(400);
  expect((await ask('POST', '/v1/import')).status).toBe(400);
});
