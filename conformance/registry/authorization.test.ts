import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImageStore } from '../../src/images/image-service.ts';
import type { RegistryHostConfig } from '../../src/images/config.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { file } from '../fixtures/tar.ts';
import { ScriptedRegistry, type Quirk } from './scripted-registry.ts';
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

const image = buildImage({ label: 'authorization', layers: [layer([file('a', 'one')]), layer([file('b', 'two')])] });
const nobody = { username: '', password: '', identityToken: '', registryToken: '', serverAddress: '' };
const someone = { ...nobody, username: 'u', password: 'p' };
const basic = `Basic ${btoa('u:p')}`;
const good = '{"token":"good","expires_in":300}';

async function serve(quirk: Quirk): Promise<ScriptedRegistry> {
  const registry = undo.use(await ScriptedRegistry.start(quirk));
  registry.add('app', '1', image);
  return registry;
}

async function open(...registries: readonly ScriptedRegistry[]): Promise<ImageStore> {
  return opened(Object.fromEntries(registries.map(({ host }) => [host, plainHttp])));
}

async function opened(hosts: Readonly<Record<string, RegistryHostConfig>>): Promise<ImageStore> {
  const store = await fixture.open({ hosts });
  undo.defer(() => store.close());
  return store;
}

const challenging =
  (challenge: string | readonly string[], wanted = 'Bearer good'): Quirk =>
  ({ authorization }, response) => {
    if (authorization === wanted) return false;
    response.writeHead(401, { 'www-authenticate': challenge as string }).end();
    return true;
  };

/** Serves a token at any path but those in `answers`. */
const serving =
  (answers: Readonly<Record<string, (response: ServerResponse) => unknown>> = {}): Quirk =>
  ({ path }, response) => {
    const answer = answers[path.split('?')[0] ?? ''];
    if (answer === undefined) response.end(good);
    else answer(response);
    return true;
  };

describe('a token service', () => {
  test.each([301, 302, 303, 307, 308])('that redirects with %i is followed with the password, as long as it stays the same server', async (status) => {
    const service = await serve(serving({ '/moved': (response) => response.writeHead(status, { location: '/token?service=s' }).end() }));
    const registry = await serve(challenging(`Bearer realm="${service.url}/moved",service="s"`));
    expect((await (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: someone })).id).toBe(imageId(image));
    expect(service.seen.map(({ method, path, authorization }) => `${method} ${path} ${authorization ?? ''}`)).toEqual([`GET /moved?service=s&scope=repository%3Aapp%3Apull ${basic}`, `GET /token?service=s ${basic}`]);
  });

  test('that redirects to another server is followed without the password', async () => {
    const other = await serve(serving());
    const service = await serve(serving({ '/moved': (response) => response.writeHead(307, { location: `${other.url}/token` }).end() }));
    const registry = await serve(challenging(`Bearer realm="${service.url}/moved"`));
    await (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: someone });
    expect([service.authorizations, other.authorizations, other.seen.length]).toEqual([[basic], [], 1]);
  });

  test.each([
    [307, 'POST /token grant'],
    [308, 'POST /token grant'],
    [301, 'GET /token '],
    [302, 'GET /token '],
    [303, 'GET /token '],
  ])('that redirects an identity token with %i gets what HTTP says', async (status, wanted) => {
    const service = await serve(serving({ '/moved': (response) => response.writeHead(status, { location: '/token' }).end() }));
    const registry = await serve(challenging(`Bearer realm="${service.url}/moved"`));
    await (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: { ...nobody, identityToken: 'refresh' } });
    expect(service.seen.map(({ method, path, body }) => `${method} ${path} ${body.slice(0, 5)}`)).toEqual(['POST /moved grant', wanted]);
  });

  test('cannot have an identity token sent to another server', async () => {
    const other = await serve(serving());
    const service = await serve(serving({ '/moved': (response) => response.writeHead(307, { location: `${other.url}/token` }).end() }));
    const registry = await serve(challenging(`Bearer realm="${service.url}/moved"`));
    const pull = (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: { ...nobody, identityToken: 'refresh' } });
    await expect(pull).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining(`sent to ${other.host}`) as unknown });
    expect(other.seen).toEqual([]);
  });

  test.each([200, 201, 202, 206, 226])('may answer %i', async (status) => {
    const service = await serve(serving({ '/token': (response) => response.writeHead(status).end(good) }));
    const registry = await serve(challenging(`Bearer realm="${service.url}/token"`));
    expect((await (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: undefined })).id).toBe(imageId(image));
  });

  test.each([204, 300, 304, 400, 404])('that answers %i is named', async (status) => {
    const service = await serve(serving({ '/token': (response) => response.writeHead(status).end() }));
    const registry = await serve(challenging(`Bearer realm="${service.url}/token"`));
    await expect((await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: undefined })).rejects.toMatchObject({ message: expect.stringContaining(service.host) as unknown });
  });

  test('that redirects ten times is followed, and not one that does so without end', async () => {
    const hop: Quirk = ({ path }, response) => {
      const left = Number(/\d+/.exec(path)?.[0]);
      if (left === 0) response.end(good);
      else response.writeHead(302, { location: `/${String(left - 1)}` }).end();
      return true;
    };
    const service = await serve(hop);
    const [ten, eleven] = [await serve(challenging(`Bearer realm="${service.url}/10"`)), await serve(challenging(`Bearer realm="${service.url}/11"`))];
    const store = await open(ten, eleven);
    await store.pull({ reference: `${ten.host}/app:1`, auth: undefined });
    await expect(store.pull({ reference: `${eleven.host}/app:1`, auth: undefined })).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining('too many redirects') as unknown });
  });
});

describe('a challenge', () => {
  const realm = 'realm="$/token"';
  test.each([
    ['without a service', `Bearer ${realm},scope="repository:app:pull"`, '/token?scope=repository%3Aapp%3Apull'],
    ['with a realm alone', `Bearer ${realm}`, '/token?scope=repository%3Aapp%3Apull'],
    ['with an empty service', `Bearer ${realm},service=""`, '/token?scope=repository%3Aapp%3Apull'],
    ['in other letters', `bEARER Realm="$/token" , SERVICE=s`, '/token?service=s&scope=repository%3Aapp%3Apull'],
    ['with several scopes', `Bearer ${realm},scope="repository:app:pull repository:b:pull"`, '/token?scope=repository%3Aapp%3Apull&scope=repository%3Ab%3Apull'],
    ['with fields in the realm', `Bearer realm="$/token?a=b&service=old",service="new"`, '/token?a=b&service=new&scope=repository%3Aapp%3Apull'],
    ['after one of another kind', `Negotiate, Basic realm="x", Bearer ${realm},service="s"`, '/token?service=s&scope=repository%3Aapp%3Apull'],
  ])('%s', async (_name, challenge, wanted) => {
    const service = await serve(serving());
    const registry = await serve(challenging(challenge.replaceAll('$', service.url)));
    expect((await (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: someone })).id).toBe(imageId(image));
    expect(service.seen.map(({ path }) => path)).toEqual([wanted]);
  });

  test('in two headers is one of either kind', async () => {
    const service = await serve(serving());
    const registry = await serve(challenging(['Basic realm="x"', `Bearer realm="${service.url}/token"`]));
    await (await open(registry)).pull({ reference: `${registry.host}/app:1`, auth: someone });
    expect(service.seen).toHaveLength(1);
  });

  test('whose token service has no address leaves the password where one will do', async () => {
    const registry = await serve(challenging('Bearer service="s", Basic realm="x"', basic));
    const store = await open(registry);
    expect((await store.pull({ reference: `${registry.host}/app:1`, auth: someone })).id).toBe(imageId(image));
    const none = await serve(challenging('Bearer service="s"'));
    await expect((await open(none)).pull({ reference: `${none.host}/app:1`, auth: someone })).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining('unusable token service') as unknown });
  });
});

test('a token that runs out in the middle of a pull is renewed', async () => {
  let given = 0;
  const service = await serve((_visit, response) => {
    given += 1;
    response.end(JSON.stringify({ access_token: `t${String(given)}`, expires_in: 300 }));
    return true;
  });
  let used = 0;
  const registry = await serve(({ authorization }, response) => {
    // Each is good for two requests.
    if (authorization === `Bearer t${String(given)}` && used < 2) {
      used += 1;
      return false;
    }
    used = 0;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${service.url}/token"` }).end();
    return true;
  });
  const store = await fixture.open({ hosts: { [registry.host]: plainHttp }, maxConcurrentDownloads: 1 });
  undo.defer(() => store.close());
  expect((await store.pull({ reference: `${registry.host}/app:1`, auth: undefined })).id).toBe(imageId(image));
  expect(given).toBeGreaterThan(1);
});

describe('a redirect to another registry', () => {
  const moving =
    (to: ScriptedRegistry): Quirk =>
    ({ path }, response) => {
      response.writeHead(307, { location: `${to.url}${path}` }).end();
      return true;
    };

  test('that demands a token for anyone is followed with one, and never with the password of the first', async () => {
    const service = await serve(serving());
    const real = await serve(challenging(`Bearer realm="${service.url}/token",service="real",scope="repository:app:pull"`));
    const vanity = await serve(moving(real));
    const pulled = await (await open(vanity)).pull({ reference: `${vanity.host}/app:1`, auth: someone });
    expect(pulled).toMatchObject({ id: imageId(image), repoTags: [`${vanity.host}/app:1`] });
    expect([service.authorizations, new Set(real.authorizations)]).toEqual([[], new Set(['Bearer good'])]);
    expect(service.seen).toHaveLength(1);
  });

  test('is followed when both demand one, each with its own', async () => {
    const [first, second] = [await serve(serving()), await serve((_visit, response) => { response.end('{"token":"second"}'); return true; })];
    const real = await serve(challenging(`Bearer realm="${second.url}/token"`, 'Bearer second'));
    const move = moving(real);
    const challenge = challenging(`Bearer realm="${first.url}/token"`);
    const vanity = await serve((visit, response) => challenge(visit, response) === true || move(visit, response));
    await (await open(vanity)).pull({ reference: `${vanity.host}/app:1`, auth: someone });
    expect([new Set(vanity.authorizations), new Set(real.authorizations)]).toEqual([new Set(['Bearer good']), new Set(['Bearer second'])]);
    expect([first.authorizations, second.authorizations]).toEqual([[basic], []]);
  });

  test('is shown the password that the settings have for it by name', async () => {
    const real = await serve(challenging('Basic realm="x"', basic));
    const vanity = await serve(moving(real));
    const named = await opened({ [vanity.host]: plainHttp, [real.host]: { ...plainHttp, username: 'u', password: 'p' } });
    expect((await named.pull({ reference: `${vanity.host}/app:1`, auth: undefined })).id).toBe(imageId(image));
    await expect((await open(vanity)).pull({ reference: `${vanity.host}/app:1`, auth: someone })).rejects.toMatchObject({ kind: 'denied', message: expect.stringContaining(`${vanity.host} redirects to ${real.host}, which answered 401`) as unknown });
  });

  test('is followed ten times', async () => {
    const chain = (hops: number): Quirk => ({ path }, response) => {
      const left = Number(/hop=(\d+)/.exec(path)?.[1] ?? hops);
      if (left === 0) return false;
      response.writeHead(302, { location: `?hop=${String(left - 1)}` }).end();
      return true;
    };
    const [ten, eleven] = [await serve(chain(10)), await serve(chain(11))];
    const store = await open(ten, eleven);
    expect((await store.pull({ reference: `${ten.host}/app:1`, auth: undefined })).id).toBe(imageId(image));
    await expect(store.pull({ reference: `${eleven.host}/app:1`, auth: undefined })).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining('too many redirects') as unknown });
  });
});
