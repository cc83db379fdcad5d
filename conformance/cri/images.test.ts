import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBerth } from '../fixtures/daemon.ts';
import { grpcStatus, type Message } from '../fixtures/cri.ts';
import { imageId } from '../fixtures/images.ts';
import { CriSuite } from './suite.ts';

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start();
  await removeAll();
});
afterEach(async () => removeAll());
afterAll(async () => suite.close());

async function removeAll(): Promise<void> {
  for (const { id } of await suite.cri.listImages()) await suite.cri.removeImage(id);
}

test('without any image there is still a file system for them: that is how a client tries the connection', async () => {
  expect(await suite.cri.listImages()).toEqual([]);
  const { image_filesystems: filesystems } = await suite.cri.call<{ image_filesystems: readonly Message[] }>('ImageFsInfo');
  expect(filesystems).toMatchObject([{ timestamp: expect.stringMatching(/^[1-9]/), used_bytes: { value: expect.stringMatching(/^\d+$/) } }]);
});

test('a pull answers the id, and the image is listed at once with tag and digest', async () => {
  const image = suite.images.busybox('listed');
  const reference = await suite.registry.push('listed', '1', image);
  expect(await suite.cri.pullImage(reference)).toBe(imageId(image));
  const digest = `${reference.slice(0, -2)}@${image.manifest.descriptor.digest}`;
  expect(await suite.cri.listImages()).toEqual([
    expect.objectContaining({ id: imageId(image), repo_tags: [reference], repo_digests: [digest], uid: null, username: '', pinned: false, size: expect.stringMatching(/^[1-9]\d+$/) }),
  ]);
});

test('every name of an image gives the very same status', async () => {
  const image = suite.images.busybox('names');
  const reference = await suite.pull('names', image);
  const status = await suite.cri.imageStatus(reference);
  const id = imageId(image);
  const { digest } = image.manifest.descriptor;
  for (const name of [id, id.slice('sha256:'.length), id.slice(7, 20), id.slice(0, 20), `${reference.slice(0, -2)}@${digest}`, `${reference}@${digest}`]) {
    expect(await suite.cri.imageStatus(name), name).toEqual(status);
  }
});

test('a name without a host means the default registry, in every call', async () => {
  const { host } = suite.registry;
  await using node = await startBerth({ insecureRegistries: [host], config: { images: { default_registry: `${host}/library` } } });
  const image = suite.images.busybox('short');
  await suite.registry.push('library/short', 'latest', image);
  await suite.registry.push('team/short', '2', image);
  expect(await node.cri.pullImage('short')).toBe(imageId(image));
  expect(await node.cri.pullImage('team/short:2')).toBe(imageId(image));
  const full = await node.cri.imageStatus(`${host}/library/short:latest`);
  expect(full?.repo_tags.toSorted()).toEqual([`${host}/library/short:latest`, `${host}/team/short:2`]);
  const { digest } = image.manifest.descriptor;
  for (const name of ['short', 'short:latest', 'library/short', 'team/short:2', `short@${digest}`, `${host}/short`, `${host}/team/short@${digest}`]) {
    expect(await node.cri.imageStatus(name), name).toEqual(full);
  }
  await node.cri.removeImage('short');
  expect(await node.cri.listImages()).toEqual([]);
});

test.each(['tag', 'digest', 'tag and digest', 'id', 'bare id', 'prefix'])('an image is removed by its %s', async (form) => {
  const image = suite.images.busybox('gone');
  const reference = await suite.pull('gone', image);
  const [{ digest }, id] = [image.manifest.descriptor, imageId(image)];
  const names: Readonly<Record<string, string>> = { tag: reference, digest: `${reference.slice(0, -2)}@${digest}`, 'tag and digest': `${reference}@${digest}`, id, 'bare id': id.slice(7), prefix: id.slice(7, 19) };
  await suite.cri.removeImage(names[form] ?? '');
  expect(await suite.cri.listImages()).toEqual([]);
});

test('an unknown image is an answer without an image; no name is an error', async () => {
  expect(await suite.cri.imageStatus('registry.invalid/none:1')).toBeNull();
  expect(await suite.cri.imageStatus(`sha256:${'0'.repeat(64)}`)).toBeNull();
  await expect(suite.cri.imageStatus('')).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('pulling again is the same image; a tag means latest when it is left out', async () => {
  const image = suite.images.busybox('again');
  const reference = await suite.registry.push('again', 'latest', image);
  const first = await suite.cri.pullImage(reference);
  expect(await suite.cri.pullImage(reference.replace(':latest', ''))).toBe(first);
  expect((await suite.cri.imageStatus(first))?.repo_tags).toEqual([reference]);
});

test('an image pulled by digest has no tag', async () => {
  const image = suite.images.busybox('digest');
  const reference = await suite.registry.push('digest', '1', image);
  const byDigest = `${reference.slice(0, -2)}@${image.manifest.descriptor.digest}`;
  await suite.cri.pullImage(byDigest);
  expect(await suite.cri.imageStatus(byDigest)).toMatchObject({ repo_tags: [], repo_digests: [byDigest] });
});

test('an image under three tags and two repositories is one image, and goes with all of them', async () => {
  const image = suite.images.busybox('many');
  for (const [repository, tag] of [['many', '1'], ['many', '2'], ['other/many', '3']] as const) await suite.cri.pullImage(await suite.registry.push(repository, tag, image));
  const { host } = suite.registry;
  expect((await suite.cri.listImages()).map(({ repo_tags: tags }) => tags.toSorted())).toEqual([[`${host}/many:1`, `${host}/many:2`, `${host}/other/many:3`]]);
  await suite.cri.removeImage(`${host}/many:2`);
  expect(await suite.cri.listImages()).toEqual([]);
  for (const name of [`${host}/many:1`, `${host}/other/many:3`, imageId(image)]) expect(await suite.cri.imageStatus(name)).toBeNull();
});

test('five removals at once all succeed, and the image is gone when each returns', async () => {
  const reference = await suite.pull('five', suite.images.busybox('five'));
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      await suite.cri.removeImage(reference);
      expect(await suite.cri.imageStatus(reference)).toBeNull();
    }),
  );
});

test('removing an unknown image succeeds', async () => {
  await suite.cri.removeImage('registry.invalid/none:1');
  await suite.cri.removeImage(`sha256:${'0'.repeat(64)}`);
});

test.each([
  ['1002', { uid: { value: '1002' }, username: '' }],
  ['1003:1004', { uid: { value: '1003' }, username: '' }],
  ['www-data', { uid: null, username: 'www-data' }],
  ['www-data:1004', { uid: null, username: 'www-data' }],
  ['99999999999999999999', { uid: null, username: '99999999999999999999' }],
])('the user "%s" of an image is told as uid or name, without the group', async (user, expected) => {
  const label = `user-${user.replace(':', '-')}`;
  const reference = await suite.pull(label, suite.images.busybox(label, { User: user }));
  expect(await suite.cri.imageStatus(reference)).toMatchObject(expected);
});

test('ListImages with a filter shows what it names, by a bare name every tag of the repository', async () => {
  const reference = await suite.pull('filtered', suite.images.busybox('filtered'));
  const other = await suite.registry.push('filtered', '2', suite.images.busybox('beside'));
  await suite.cri.pullImage(other);
  await suite.pull('filtered-not', suite.images.busybox('not'));
  const tags = async (image: string) => (await suite.cri.call<{ images: readonly { repo_tags: readonly string[] }[] }>('ListImages', { filter: { image: { image } } })).images.flatMap(({ repo_tags: all }) => all);
  expect(await tags(reference)).toEqual([reference]);
  expect(await tags('registry.invalid/none:1')).toEqual([]);
  expect((await tags(reference.slice(0, reference.lastIndexOf(':')))).toSorted()).toEqual([reference, other]);
  expect(await tags('')).toHaveLength(3);
});

test('StreamImages sends every image once', async () => {
  const references = [await suite.pull('s1', suite.images.busybox('s1')), await suite.pull('s2', suite.images.busybox('s2'))];
  const seen: string[] = [];
  for await (const message of suite.cri.stream<Message>('StreamImages')) seen.push(...(message['images'] as readonly { repo_tags: readonly string[] }[]).flatMap(({ repo_tags: tags }) => tags));
  expect(seen.toSorted()).toEqual(references.toSorted());
});

test('a verbose status has the config of the image as its author wrote it', async () => {
  const image = suite.images.busybox('verbose', { Env: ['A=b'], ExposedPorts: { '80/tcp': {} } });
  const reference = await suite.pull('verbose', image);
  const { info } = await suite.cri.call<{ info: Record<string, string> }>('ImageStatus', { image: { image: reference }, verbose: true });
  expect(JSON.parse(info['info'] ?? '')).toMatchObject({ imageSpec: JSON.parse(image.config.bytes.toString()) });
});

test('a registry that cannot be reached is known by the beginning of the message and code UNKNOWN', async () => {
  await expect(suite.cri.pullImage('127.0.0.1:1/none:1')).rejects.toMatchObject({ code: grpcStatus.UNKNOWN, details: expect.stringMatching(/^RegistryUnavailable: /) });
});

test.each(['registry.invalid/UPPER:1', '', 'a b', 'x@sha256:short'])('the malformed reference "%s" is refused', async (reference) => {
  await expect(suite.cri.pullImage(reference)).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('a tag that the registry does not have is an error that names it and leaves nothing', async () => {
  await expect(suite.cri.pullImage(`${suite.registry.host}/none:404`)).rejects.toMatchObject({ details: expect.stringContaining('none') });
  expect(await suite.cri.listImages()).toEqual([]);
});

test('a pull whose client deadline passes ends with DeadlineExceeded and leaves no half image', async () => {
  const reference = await suite.registry.push('late', '1', suite.images.busybox('late'));
  await expect(suite.cri.call('PullImage', { image: { image: reference } }, 1)).rejects.toMatchObject({ code: grpcStatus.DEADLINE_EXCEEDED });
  expect(await suite.cri.imageStatus(reference)).toBeNull();
  await suite.cri.pullImage(reference);
});

test('a handler that is not configured is refused', async () => {
  const reference = await suite.registry.push('handler', '1', suite.images.busybox('handler'));
  await expect(suite.cri.call('PullImage', { image: { image: reference, runtime_handler: 'nonesuch' } })).rejects.toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});

test('a pinned image is shown as pinned', async () => {
  const { host } = suite.registry;
  await using node = await startBerth({ insecureRegistries: [host], config: { images: { pinned: [`${host}/pinned:1`] } } });
  const reference = await suite.registry.push('pinned', '1', suite.images.busybox('pinned'));
  await node.cri.pullImage(reference);
  expect(await node.cri.imageStatus(reference)).toMatchObject({ pinned: true });
});
