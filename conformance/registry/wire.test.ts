import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServerResponse } from 'node:http';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { ImagesConfig } from '../../src/images/config.ts';
import type { ImageStore } from '../../src/images/image-service.ts';
import type { Blob } from '../fixtures/blob.ts';
import { buildImage, imageId, type Image } from '../fixtures/images.ts';
import { layer, noise } from '../fixtures/layer.ts';
import { file } from '../fixtures/tar.ts';
import { ScriptedRegistry, type Quirk, type Visit } from './scripted-registry.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';

let fixture: StoreFixture;
let undo: AsyncDisposableStack;

beforeEach(() => {
  undo = new AsyncDisposableStack();
  fixture = new StoreFixture();
});
afterEach(async () => {
  await undo.disposeAsync();
  await fixture.remove();
});

const build = (label: string): Image => buildImage({ label, layers: [layer([file('a', noise(100_000, label))], { compression: 'none' })] });
const image = build('wire');
const layerPath = `/blobs/${image.layers[0]?.descriptor.digest ?? ''}`;

async function serve(quirk: Quirk = () => false): Promise<ScriptedRegistry> {
  const registry = undo.use(await ScriptedRegistry.start(quirk));
  registry.add('app', '1', image);
  return registry;
}

async function open(registries: readonly ScriptedRegistry[], change: Partial<ImagesConfig> = {}): Promise<ImageStore> {
  const store = await fixture.open({ hosts: Object.fromEntries(registries.map(({ host }) => [host, plainHttp])), ...change });
  undo.defer(() => store.close());
  return store;
}

const pullFrom = async (store: ImageStore, { host }: ScriptedRegistry, signal = AbortSignal.timeout(60_000)): Promise<string> => (await store.pull({ reference: `${host}/app:1`, auth: undefined }, signal)).id;

describe('what servers do differently', () => {
  type Twist = (found: Blob, response: ServerResponse, visit: Visit) => void;
  const twists: readonly (readonly [string, Twist])[] = [
    ['speaks HTTP/1.0 and sends no length', ({ bytes }, response) => response.socket?.end(Buffer.concat([Buffer.from('HTTP/1.0 200 OK\r\n\r\n'), bytes]))],
    ['sends in chunks and no length', ({ bytes }, response) => { response.write(bytes.subarray(0, 10)); response.end(bytes.subarray(10)); }],
    ['calls everything text/html', ({ bytes }, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(bytes)],
    ['calls everything JSON', ({ bytes }, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(bytes)],
    ['names no types and no digests', ({ bytes }, response) => response.end(bytes)],
    ['names a digest of another algorithm', ({ bytes }, response) => response.writeHead(200, { 'docker-content-digest': `sha512:${'0'.repeat(128)}` }).end(bytes)],
    ['closes each connection', ({ bytes }, response) => response.writeHead(200, { connection: 'close' }).end(bytes)],
    ['closes a connection that it would keep', ({ bytes }, response) => response.writeHead(200, { connection: 'keep-alive', 'content-length': bytes.byteLength }).end(bytes, () => response.socket?.destroySoon())],
    ['answers 203, as a proxy on the way does', ({ bytes }, response) => response.writeHead(203).end(bytes)],
    ['packs what nobody asked to be packed', ({ bytes }, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes))],
    ['packs twice', ({ bytes }, response) => response.writeHead(200, { 'content-encoding': 'Deflate, identity, zstd' }).end(zstdCompressSync(deflateSync(bytes)))],
    ['calls packed what is not', ({ bytes }, response) => response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bytes.byteLength }).end(bytes)],
  ];
  test.each(twists)('one %s', async (_name, twist) => {
    const registry: ScriptedRegistry = await serve((visit, response) => {
      const found = registry.at(visit.path);
      if (found === undefined || visit.method !== 'GET') return false;
      twist(found, response, visit);
      return true;
    });
    const store = await open([registry]);
    expect(await pullFrom(store, registry)).toBe(imageId(image));
    expect(await pullFrom(store, registry)).toBe(imageId(image));
  });

  test.each([400, 401, 403, 404, 405, 501])('one answers HEAD with %i', async (status) => {
    const registry = await serve(({ method }, response) => {
      if (method !== 'HEAD') return false;
      response.writeHead(status).end();
      return true;
    });
    const store = await open([registry]);
    await pullFrom(store, registry);
    expect(await pullFrom(store, registry)).toBe(imageId(image));
    expect(registry.seen.filter(({ method }) => method === 'HEAD')).toHaveLength(1);
  });

  test('one is busy and says until when', async () => {
    let left = 2;
    const registry = await serve((_visit, response) => {
      if (left === 0) return false;
      left -= 1;
      response.writeHead(429, { 'retry-after': new Date(Date.now() + 1500).toUTCString() }).end();
      return true;
    });
    expect(await pullFrom(await open([registry]), registry)).toBe(imageId(image));
  });

  test('storage refuses a request that is authorized twice', async () => {
    const storage: ScriptedRegistry = await serve(({ path, authorization }, response) => {
      const signed = path.includes('X-Amz-Signature=s');
      if (!signed || authorization !== undefined) response.writeHead(400).end();
      else response.end(storage.at(`/v2/app${path}`)?.bytes);
      return true;
    });
    const registry = await serve(({ path, authorization }, response) => {
      if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (path.includes('/blobs/')) response.writeHead(307, { location: `//${storage.host}${path.replace('/v2/app', '')}?X-Amz-Signature=s` }).end();
      else return false;
      return true;
    });
    const store = await open([registry]);
    expect((await store.pull({ reference: `${registry.host}/app:1`, auth: { username: 'u', password: 'p', identityToken: '', registryToken: '', serverAddress: '' } })).id).toBe(imageId(image));
  });

  test('one breaks off in the middle of what it packed, and has parts of that', async () => {
    const asked: (string | undefined)[] = [];
    const registry: ScriptedRegistry = await serve(({ path, range }, response) => {
      const found = registry.at(path);
      if (!path.endsWith(layerPath) || found === undefined) return false;
      asked.push(range);
      const packed = gzipSync(found.bytes);
      const from = Number(/\d+/.exec(range ?? '')?.[0] ?? 0);
      response.writeHead(range === undefined ? 200 : 206, { 'content-encoding': 'gzip', ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${packed.length - 1}/${packed.length}` }) });
      if (asked.length > 1) response.end(packed.subarray(from));
      else response.write(packed.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 200));
      return true;
    });
    expect(await pullFrom(await open([registry]), registry)).toBe(imageId(image));
    expect(asked).toEqual([undefined, expect.stringContaining('bytes='), undefined]);
  });

  test('one packs what it has in an unknown way', async () => {
    const registry = await serve((_visit, response) => {
      response.writeHead(200, { 'content-encoding': 'secret' }).end('x');
      return true;
    });
    await expect(pullFrom(await open([registry]), registry)).rejects.toMatchObject({ kind: 'registry', message: expect.stringMatching(/cannot pull .*app:1: .*unknown content coding "secret"/) as unknown });
  });

  test('one breaks off in the middle and cannot go on there', async () => {
    let left = 2;
    const registry: ScriptedRegistry = await serve(({ path }, response) => {
      const found = registry.at(path);
      if (!path.endsWith(layerPath) || found === undefined || left === 0) return false;
      left -= 1;
      response.writeHead(200, { 'content-length': found.bytes.byteLength }).write(found.bytes.subarray(0, 50_000), () => response.destroy());
      return true;
    });
    expect(await pullFrom(await open([registry]), registry)).toBe(imageId(image));
  });
});

/** Sends the first byte of what is asked for at once and the others one by one, for as long as anyone waits. */
const dripping =
  (matches: (path: string) => boolean, registry: () => ScriptedRegistry): Quirk =>
  ({ path, method }, response) => {
    const found = registry().at(path);
    if (!matches(path) || found === undefined || method !== 'GET') return false;
    response.writeHead(200, { 'content-length': found.bytes.byteLength, 'content-type': found.descriptor.mediaType });
    let sent = 0;
    const timer = setInterval(() => response.write(found.bytes.subarray(sent, (sent += 1))), 100);
    response.on('close', () => { clearInterval(timer); });
    return true;
  };

async function dripper(matches: (path: string) => boolean = (path) => path.includes('/blobs/')): Promise<ScriptedRegistry> {
  const registry: ScriptedRegistry = await serve(dripping(matches, () => registry));
  return registry;
}

/** Pulls that go on until the test ends. */
function stuck(store: ImageStore, { host }: ScriptedRegistry, count: number): void {
  const leaving = new AbortController();
  undo.defer(() => { leaving.abort(new Error('over')); });
  for (let index = 0; index < count; index += 1) {
    store.pull({ reference: `${host}/app:1`, auth: { username: `u${String(index)}`, password: '', identityToken: '', registryToken: '', serverAddress: '' } }, leaving.signal).catch(() => undefined);
  }
}

describe('a registry that drips', () => {
  const patient = { progressTimeoutMs: 600_000, maxConcurrentPulls: 4 };

  test.each(['/manifests/', '/blobs/'])('its %s hold up no pull from another registry', async (what) => {
    const [slow, quick] = [await dripper((path) => path.includes(what)), await serve()];
    const store = await open([slow, quick], patient);
    stuck(store, slow, 20);
    await expect.poll(() => slow.seen.length).toBeGreaterThan(2);
    expect(await pullFrom(store, quick)).toBe(imageId(image));
  });

  test('nor do several such registries together', async () => {
    const slow = await Promise.all([1, 2, 3].map(() => dripper()));
    const quick = await serve();
    const store = await open([...slow, quick], patient);
    for (const each of slow) stuck(store, each, 3);
    await expect.poll(() => slow[0]?.seen.length ?? 0).toBeGreaterThan(2);
    expect(await pullFrom(store, quick)).toBe(imageId(image));
  });

  test.each(['/manifests/', '/blobs/'])('is given up for its %s, however often a byte comes', async (what) => {
    const slow = await dripper((path) => path.includes(what));
    const store = await open([slow], { progressTimeoutMs: 1000 });
    await expect(pullFrom(store, slow)).rejects.toMatchObject({ kind: 'registry', message: expect.stringMatching(/cannot pull .*app:1.*fewer than 1024 bytes a second came for 1 s/) as unknown });
  });

  test('as a mirror is passed over, and the registry goes on where it was', async () => {
    const [slow, real] = [await dripper((path) => path.includes(layerPath)), await serve()];
    const store = await open([slow], { progressTimeoutMs: 1000, hosts: { [slow.host]: plainHttp, [real.host]: { ...plainHttp, mirrors: [slow.host] } } });
    expect(await pullFrom(store, real)).toBe(imageId(image));
    expect(real.seen.some(({ path }) => path.includes(layerPath))).toBe(true);
  });

  test('in the body of a redirect or of a challenge is not waited for', async () => {
    const drip = (response: ServerResponse, status: number, headers: Record<string, string>): true => {
      response.writeHead(status, { ...headers, 'content-length': 1_000_000 });
      const timer = setInterval(() => response.write('x'), 100);
      response.on('close', () => { clearInterval(timer); });
      return true;
    };
    const real = await serve(({ authorization }, response) => authorization === undefined && drip(response, 401, { 'www-authenticate': `Bearer realm="${service.url}/token"` }));
    const service: ScriptedRegistry = await serve((_visit, response) => { response.end('{"token":"t"}'); return true; });
    const registry = await serve(({ path }, response) => drip(response, 302, { location: `${real.url}${path}` }));
    expect(await pullFrom(await open([registry], patient), registry)).toBe(imageId(image));
  });
});
