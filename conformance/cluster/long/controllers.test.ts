import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../cluster.ts';
import { controller, template, waiter } from '../manifests.ts';
import { buildTimeoutMs, endCluster, isReady, noCluster, startCluster, type PodStatus } from './suite.ts';

interface Job {
  readonly status: { readonly failed?: number; readonly succeeded?: number; readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[] };
}

const ended = ({ status }: Job): boolean => status.conditions?.some(({ type, status: met }) => (type === 'Complete' || type === 'Failed') && met === 'True') ?? false;

describe.skipIf(noCluster)('what controllers make of pods on berth', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  }, buildTimeoutMs);
  afterAll(async () => endCluster(cluster));

  const job = (name: string, command: string, over: object = {}): object => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { template: template(name, { restartPolicy: 'Never', containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', command] }] }), ...over },
  });

  test('a job whose pods fail is tried again with back-off until it gives up', async () => {
    await cluster.kubectl.apply(job('failing', 'echo about to fail; exit 3', { backoffLimit: 2 }));
    const { status } = await cluster.kubectl.until<Job>('job', 'failing', ended, 120_000);
    expect(status).toMatchObject({ failed: 3 });
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Failed', reason: 'BackoffLimitExceeded' }));
    const pods = await cluster.kubectl.list<PodStatus>('pods', 'app=failing');
    expect(pods.map((pod) => pod.status.containerStatuses?.[0]?.state.terminated)).toEqual(Array.from({ length: 3 }, () => expect.objectContaining({ exitCode: 3, reason: 'Error' })));
  }, 150_000);

  test('a job that fails in its container is restarted in place and completes', async () => {
    const command = 'echo x >>/state/tries; [ "$(wc -l </state/tries)" -ge 3 ]';
    const spec = { restartPolicy: 'OnFailure', volumes: [{ name: 'state', emptyDir: {} }], containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', command], volumeMounts: [{ name: 'state', mountPath: '/state' }] }] };
    await cluster.kubectl.apply(job('stubborn', '', { template: template('stubborn', spec) }));
    expect((await cluster.kubectl.until<Job>('job', 'stubborn', ended, 60_000)).status).toMatchObject({ succeeded: 1 });
    const [pod] = await cluster.kubectl.list<PodStatus>('pods', 'app=stubborn');
    expect(pod?.status.containerStatuses?.[0]?.restartCount).toBe(2);
  }, 80_000);

  test('a job runs its completions in parallel, each with its index', async () => {
    await cluster.kubectl.apply(job('indexed', 'echo index $JOB_COMPLETION_INDEX', { completions: 6, parallelism: 3, completionMode: 'Indexed' }));
    expect((await cluster.kubectl.until<Job>('job', 'indexed', ended)).status).toMatchObject({ succeeded: 6 });
    const lines = (await cluster.kubectl.run(['logs', '-l', 'app=indexed', '--max-log-requests=6'])).trim().split('\n');
    expect(lines.toSorted()).toEqual([0, 1, 2, 3, 4, 5].map((index) => `index ${index}`));
  });

  test('a daemon set with the node\'s network answers on the node\'s address', async () => {
    const container = { name: 'main', image: cluster.busybox, command: ['httpd', '-f', '-p', '8081', '-h', '/www'], ports: [{ containerPort: 8081 }] };
    await cluster.kubectl.apply(controller({ kind: 'DaemonSet', name: 'agent', spec: { hostNetwork: true, tolerations: [{ operator: 'Exists' }], containers: [container] } }));
    await cluster.kubectl.run(['rollout', 'status', 'daemonset/agent']);
    const [pod] = await cluster.kubectl.list<PodStatus>('pods', 'app=agent');
    expect(pod?.status).toMatchObject({ podIP: cluster.network.nodeAddress, hostIP: cluster.network.nodeAddress });
    expect(await (await fetch(`http://${cluster.network.nodeAddress}:8081/`)).text()).toBe('berth fixture\n');
  });

  test('a stateful set starts in order, keeps names, and its emptyDir lives as long as the pod', async () => {
    const data = { name: 'data', mountPath: '/data' };
    const command = ['sh', '-c', 'echo run >>/data/runs; trap "exit 1" TERM; echo up; while [ ! -e /data/stop ]; do sleep 0.1; done; rm /data/stop; exit 1'];
    const spec = { volumes: [{ name: 'data', emptyDir: {} }], containers: [{ name: 'main', image: cluster.busybox, command, volumeMounts: [data], readinessProbe: { exec: { command: ['cat', '/data/runs'] }, periodSeconds: 1 } }] };
    await cluster.kubectl.apply(controller({ kind: 'StatefulSet', name: 'db', spec, over: { replicas: 2, serviceName: 'db' } }));
    await cluster.kubectl.run(['rollout', 'status', 'statefulset/db']);
    const before = await cluster.kubectl.get<PodStatus>('pod', 'db-0');

    // The container goes; the directory and the pod stay.
    await cluster.kubectl.run(['exec', 'db-0', '--', 'touch', '/data/stop']);
    await cluster.kubectl.until<PodStatus>('pod', 'db-0', (pod) => isReady(pod) && pod.status.containerStatuses?.[0]?.restartCount === 1);
    expect(await cluster.kubectl.run(['exec', 'db-0', '--', 'cat', '/data/runs'])).toBe('run\nrun\n');

    // The pod goes; one of the same name comes with an empty directory.
    await cluster.kubectl.run(['delete', 'pod', 'db-0']);
    await cluster.kubectl.until<PodStatus>('pod', 'db-0', (pod) => isReady(pod) && pod.metadata.uid !== before.metadata.uid);
    expect(await cluster.kubectl.run(['exec', 'db-0', '--', 'cat', '/data/runs'])).toBe('run\n');
    expect(await cluster.kubectl.run(['exec', 'db-0', '--', 'hostname'])).toBe('db-0\n');
  }, 90_000);

  test('a deployment scales up and down', async () => {
    await cluster.kubectl.apply(controller({ kind: 'Deployment', name: 'scaled', spec: { containers: [waiter(cluster.busybox)] }, over: { replicas: 2 } }));
    for (const replicas of [8, 1]) {
      await cluster.kubectl.run(['scale', 'deployment/scaled', `--replicas=${replicas}`]);
      await cluster.kubectl.until<{ readonly status: { readonly replicas?: number; readonly availableReplicas?: number } }>('deployment', 'scaled', ({ status }) => status.replicas === replicas && status.availableReplicas === replicas);
    }
  });
});
