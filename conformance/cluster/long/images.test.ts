import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestImages } from '../../fixtures/test-images.ts';
import type { Cluster } from '../cluster.ts';
import { pod, waiter } from '../manifests.ts';
import { buildTimeoutMs, containerOf, endCluster, isReady, noCluster, startCluster, type PodStatus } from './suite.ts';

describe.skipIf(noCluster)('how a kubelet pulls images through berth', () => {
  let cluster: Cluster;
  let image: string;

  beforeAll(async () => {
    cluster = await startCluster();
    image = await cluster.secured.push('private/busybox', '1', new TestImages().busybox('private'));
  }, buildTimeoutMs);
  afterAll(async () => endCluster(cluster));

  const pullSecret = (name: string, password: string): object => {
    const auth = Buffer.from(`${cluster.secured.account?.username}:${password}`).toString('base64');
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': JSON.stringify({ auths: { [cluster.secured.host]: { auth } } }) } };
  };
  const waiting = async (name: string, reason: string): Promise<string> => {
    const found = await cluster.kubectl.until<PodStatus>('pod', name, (seen) => containerOf(seen, 'main')?.state.waiting?.reason === reason);
    return containerOf(found, 'main')?.state.waiting?.message ?? '';
  };

  test('an image that is not there ends in ImagePullBackOff, and starts once it is', async () => {
    const missing = `${cluster.registry.host}/late:1`;
    await cluster.kubectl.apply(pod('late', { containers: [waiter(missing)] }));
    expect(await waiting('late', 'ErrImagePull')).toContain('late:1');
    expect(await waiting('late', 'ImagePullBackOff')).toContain(missing);
    await cluster.registry.push('late', '1', new TestImages().busybox('late'));
    await cluster.kubectl.until<PodStatus>('pod', 'late', isReady);
  }, 90_000);

  test('a registry that does not answer is named in the reason', async () => {
    await cluster.kubectl.apply(pod('nowhere', { containers: [waiter(`${cluster.network.hostAddress}:1/busybox:1`)] }));
    await cluster.kubectl.until<PodStatus>('pod', 'nowhere', (seen) => ['RegistryUnavailable', 'ImagePullBackOff'].includes(containerOf(seen, 'main')?.state.waiting?.reason ?? ''));
    expect(await cluster.kubectl.run(['get', 'events', '--field-selector', 'involvedObject.name=nowhere'])).toContain('RegistryUnavailable');
  });

  test('a private image needs the secret of its registry', async () => {
    await cluster.kubectl.apply(pod('without', { containers: [waiter(image)] }));
    await waiting('without', 'ErrImagePull');
    await cluster.kubectl.apply(pullSecret('wrong', 'not-it'), pod('wrong', { imagePullSecrets: [{ name: 'wrong' }], containers: [waiter(image)] }));
    await waiting('wrong', 'ErrImagePull');
    await cluster.kubectl.apply(pullSecret('right', cluster.secured.account?.password ?? ''), pod('right', { imagePullSecrets: [{ name: 'right' }], containers: [waiter(image)] }));
    await cluster.kubectl.until<PodStatus>('pod', 'right', isReady);
    expect(cluster.node.log()).not.toContain(cluster.secured.account?.password);
  });

  test('an image that one pod pulled with a secret is not free for a pod without it', async () => {
    await cluster.kubectl.until<PodStatus>('pod', 'right', isReady);
    await cluster.kubectl.apply(pod('guest', { containers: [waiter(image, 'main', { imagePullPolicy: 'IfNotPresent' })] }));
    expect(await waiting('guest', 'ErrImagePull')).toContain('private/busybox');
  });

  test('pull policy Never with an absent image is said so', async () => {
    await cluster.kubectl.apply(pod('never', { containers: [waiter(`${cluster.registry.host}/absent:1`, 'main', { imagePullPolicy: 'Never' })] }));
    expect(await waiting('never', 'ErrImageNeverPull')).toContain('absent:1');
  });

  test('an image is found by its digest as well', async () => {
    const content = new TestImages().busybox('digested');
    await cluster.registry.push('digested', '1', content);
    await cluster.kubectl.apply(pod('digested', { containers: [waiter(`${cluster.registry.host}/digested@${content.manifest.descriptor.digest}`)] }));
    const found = await cluster.kubectl.until<PodStatus & { readonly status: { readonly containerStatuses?: readonly { readonly imageID: string }[] } }>('pod', 'digested', isReady);
    expect(found.status.containerStatuses?.[0]?.imageID).toContain(content.manifest.descriptor.digest);
  });
});
