import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Cluster } from '../cluster.ts';
import { pod, waiter, webServer } from '../manifests.ts';
import { buildTimeoutMs, containerOf, endCluster, isReady, noCluster, startCluster, type PodStatus } from './suite.ts';

describe.skipIf(noCluster)('what a pod may ask of a kubelet on berth', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  }, buildTimeoutMs);
  afterAll(async () => endCluster(cluster));

  const ready = async (name: string): Promise<PodStatus> => cluster.kubectl.until<PodStatus>('pod', name, isReady);
  const run = async (name: string, spec: object): Promise<PodStatus> => {
    await cluster.kubectl.apply(pod(name, spec));
    return ready(name);
  };
  const logs = async (name: string, ...more: readonly string[]): Promise<string> => cluster.kubectl.run(['logs', name, ...more]);

  describe('probes', () => {
    const serving = (name: string, over: object): object => ({
      ...waiter(cluster.busybox, name),
      command: ['sh', '-c', 'touch /www/alive; echo starts; httpd -f -p 80 -h /www & trap "exit 0" TERM; while :; do sleep 0.1 & wait $!; done'],
      ...over,
    });

    test.each([
      { kind: 'exec', probe: { exec: { command: ['test', '-e', '/www/alive'] } } },
      { kind: 'http', probe: { httpGet: { path: '/alive', port: 80 } } },
    ])('a failing $kind liveness probe restarts the container', async ({ kind, probe }) => {
      const name = `live-${kind}`;
      await run(name, { containers: [serving('main', { livenessProbe: { ...probe, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 1 } })] });
      await cluster.kubectl.run(['exec', name, '--', 'rm', '/www/alive']);
      const after = await cluster.kubectl.until<PodStatus>('pod', name, (seen) => isReady(seen) && containerOf(seen, 'main')?.restartCount === 1);
      expect(containerOf(after, 'main')?.lastState.terminated).toBeDefined();
      expect(await logs(name, '--previous')).toBe('starts\n');
    });

    test('a failing tcp liveness probe restarts the container', async () => {
      const once = 'nc -l -p 9000 -e true; while [ -e /tmp/closed ]; do sleep 1; done; touch /tmp/closed; sleep 1000';
      await cluster.kubectl.apply(pod('live-tcp', { containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', once], livenessProbe: { tcpSocket: { port: 9000 }, periodSeconds: 1, failureThreshold: 1 } }] }));
      await cluster.kubectl.until<PodStatus>('pod', 'live-tcp', (seen) => (containerOf(seen, 'main')?.restartCount ?? 0) >= 1);
    });

    test.each([
      { kind: 'exec', probe: { exec: { command: ['test', '-e', '/www/alive'] } } },
      { kind: 'http', probe: { httpGet: { path: '/alive', port: 80 } } },
    ])('an $kind readiness probe takes the pod out and in again', async ({ kind, probe }) => {
      const name = `ready-${kind}`;
      await run(name, { containers: [serving('main', { readinessProbe: { ...probe, periodSeconds: 1, failureThreshold: 1 } })] });
      await cluster.kubectl.run(['exec', name, '--', 'rm', '/www/alive']);
      await cluster.kubectl.until<PodStatus>('pod', name, (seen) => !isReady(seen));
      await cluster.kubectl.run(['exec', name, '--', 'touch', '/www/alive']);
      expect(containerOf(await ready(name), 'main')?.restartCount).toBe(0);
    });

    test('a tcp readiness probe waits for the port', async () => {
      const late = 'sleep 3; exec httpd -f -p 80 -h /www';
      await cluster.kubectl.apply(pod('ready-tcp', { containers: [{ name: 'main', image: cluster.busybox, command: ['sh', '-c', late], readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 } }] }));
      await cluster.kubectl.until<PodStatus>('pod', 'ready-tcp', (seen) => containerOf(seen, 'main')?.state.running !== undefined && !isReady(seen));
      await ready('ready-tcp');
    });

    test('no other probe runs before the startup probe has passed', async () => {
      const command = ['sh', '-c', 'sleep 3; touch /tmp/started; trap "exit 0" TERM; while :; do sleep 0.1 & wait $!; done'];
      const probe = { exec: { command: ['test', '-e', '/tmp/started'] }, periodSeconds: 1 };
      await cluster.kubectl.apply(pod('startup', { containers: [{ name: 'main', image: cluster.busybox, command, startupProbe: { ...probe, failureThreshold: 30 }, livenessProbe: { ...probe, failureThreshold: 1 } }] }));
      await cluster.kubectl.until<PodStatus>('pod', 'startup', (seen) => containerOf(seen, 'main')?.started === false && containerOf(seen, 'main')?.state.running !== undefined);
      const after = containerOf(await ready('startup'), 'main');
      expect(after).toMatchObject({ started: true, restartCount: 0 });
    });

    test('a startup probe that never passes restarts the container', async () => {
      await cluster.kubectl.apply(pod('startup-never', { containers: [waiter(cluster.busybox, 'main', { startupProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 2 } })] }));
      await cluster.kubectl.until<PodStatus>('pod', 'startup-never', (seen) => (containerOf(seen, 'main')?.restartCount ?? 0) >= 1);
    });
  });

  describe('lifecycle', () => {
    test('hooks run after the start and before the end, which waits for them', async () => {
      const shared = { name: 'shared', mountPath: '/shared' };
      const main = waiter(cluster.busybox, 'main', {
        command: ['sh', '-c', 'trap "echo term >>/shared/order; exit 0" TERM; while :; do sleep 0.1 & wait $!; done'],
        volumeMounts: [shared],
        lifecycle: {
          postStart: { exec: { command: ['sh', '-c', 'echo post >>/shared/order'] } },
          preStop: { exec: { command: ['sh', '-c', 'sleep 2; echo pre >>/shared/order'] } },
        },
      });
      // A sidecar ends after the others, so that it can tell their order.
      const watcher = { ...waiter(cluster.busybox, 'watcher', { volumeMounts: [shared], restartPolicy: 'Always' }), command: ['sh', '-c', 'trap "cat /shared/order; exit 0" TERM; while :; do sleep 0.1 & wait $!; done'] };
      await run('hooks', { terminationGracePeriodSeconds: 20, volumes: [{ name: 'shared', emptyDir: {} }], initContainers: [watcher], containers: [main] });
      const following = cluster.kubectl.run(['logs', '-f', 'hooks', '-c', 'watcher']);
      const began = Date.now();
      await cluster.kubectl.run(['delete', 'pod', 'hooks']);
      expect(Date.now() - began).toBeGreaterThan(2000);
      expect(await following).toBe('post\npre\nterm\n');
    });

    test('an http hook reaches the container', async () => {
      const main = { ...webServer(cluster.busybox), lifecycle: { postStart: { httpGet: { path: '/', port: 80 } } } };
      await cluster.kubectl.apply(pod('hook-http', { containers: [main] }));
      // It may come before the server listens, which fails the container once; the kubelet then starts another.
      await cluster.kubectl.until<PodStatus>('pod', 'hook-http', isReady);
    });

    test('a sidecar starts before the others, is restarted alone, and does not keep a job from its end', async () => {
      const sidecar = { ...waiter(cluster.busybox, 'sidecar', { restartPolicy: 'Always', startupProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1 } }), command: ['sh', '-c', 'sleep 1; touch /tmp/up; trap "exit 0" TERM; while [ ! -e /tmp/die ]; do sleep 0.1; done'] };
      const main = { name: 'main', image: cluster.busybox, command: ['sh', '-c', 'trap "exit 0" TERM; for i in $(seq 80); do sleep 0.1; done; echo done'] };
      const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'with-sidecar' }, spec: { template: { metadata: { labels: { app: 'with-sidecar' } }, spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 2, initContainers: [sidecar], containers: [main] } } } };
      await cluster.kubectl.apply(job);
      const [found] = await vi.waitFor(async () => {
        const pods = await cluster.kubectl.list<PodStatus>('pods', 'app=with-sidecar');
        expect(pods).toHaveLength(1);
        return pods;
      }, { timeout: 10_000 });
      const name = found?.metadata.name ?? '';
      await cluster.kubectl.until<PodStatus>('pod', name, (seen) => containerOf(seen, 'main')?.state.running !== undefined);
      await cluster.kubectl.run(['exec', name, '-c', 'sidecar', '--', 'touch', '/tmp/die']);
      const after = await cluster.kubectl.until<PodStatus>('pod', name, (seen) => containerOf(seen, 'sidecar')?.restartCount === 1 && containerOf(seen, 'sidecar')?.state.running !== undefined);
      expect(containerOf(after, 'main')).toMatchObject({ restartCount: 0 });
      await cluster.kubectl.until<{ readonly status: { readonly succeeded?: number } }>('job', 'with-sidecar', ({ status }) => status.succeeded === 1);
    }, 90_000);

    test('init containers run one after another, and one that fails is tried again', async () => {
      const shared = { name: 'shared', mountPath: '/shared' };
      const step = (name: string, command: string): object => ({ name, image: cluster.busybox, command: ['sh', '-c', command], volumeMounts: [shared] });
      await run('inits', {
        volumes: [{ name: 'shared', emptyDir: {} }],
        initContainers: [step('first', 'echo first >>/shared/order'), step('second', 'echo second >>/shared/order; [ "$(grep -c second /shared/order)" = 2 ]')],
        containers: [{ ...waiter(cluster.busybox), volumeMounts: [shared], command: ['sh', '-c', 'cat /shared/order; exec sleep 1000'] }],
      });
      expect(await logs('inits', '-c', 'main')).toBe('first\nsecond\nsecond\n');
    });
  });

  test('a running pod gets more memory and CPU, and less again, without a restart', async () => {
    const resources = (memory: string, cpu: string): object => ({ requests: { memory, cpu }, limits: { memory, cpu } });
    await run('resized', { containers: [waiter(cluster.busybox, 'main', { resources: resources('32Mi', '100m') })] });
    const limits = async (): Promise<string> => cluster.kubectl.run(['exec', 'resized', '--', 'sh', '-c', 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us 2>/dev/null || { cat memory.max; cut -d " " -f 1 cpu.max; }']);
    expect(await limits()).toBe(`${32 << 20}\n10000\n`);
    const before = containerOf(await ready('resized'), 'main')?.containerID;
    for (const [memory, cpu, kernel] of [['64Mi', '200m', `${64 << 20}\n20000\n`], ['24Mi', '50m', `${24 << 20}\n5000\n`]] as const) {
      await cluster.kubectl.run(['patch', 'pod', 'resized', '--subresource=resize', '-p', JSON.stringify({ spec: { containers: [{ name: 'main', resources: resources(memory, cpu) }] } })]);
      const after = await cluster.kubectl.until<PodStatus>('pod', 'resized', (seen) => containerOf(seen, 'main')?.resources?.limits?.['memory'] === memory);
      expect(containerOf(after, 'main')).toMatchObject({ containerID: before, restartCount: 0, resources: { limits: { memory, cpu } } });
      expect(await limits()).toBe(kernel);
    }
  });

  test('the downward API tells the pod about itself, and changes of its labels', async () => {
    const field = (name: string, fieldPath: string): object => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const info = { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } };
    const env = [field('NAME', 'metadata.name'), field('IP', 'status.podIP'), field('NODE', 'spec.nodeName'), { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory' } } }];
    const main = waiter(cluster.busybox, 'main', { env, resources: { limits: { memory: '48Mi' } }, volumeMounts: [{ name: 'info', mountPath: '/info' }] });
    const { status } = await run('downward', { volumes: [info], containers: [main] });
    expect(await cluster.kubectl.run(['exec', 'downward', '--', 'sh', '-c', 'echo $NAME $IP $NODE $LIMIT; cat /info/labels'])).toBe(`downward ${status.podIP} n1 ${48 << 20}\napp="downward"`);
    await cluster.kubectl.run(['label', 'pod', 'downward', 'colour=green']);
    await vi.waitFor(async () => {
      expect(await cluster.kubectl.run(['exec', 'downward', '--', 'cat', '/info/labels'])).toBe('app="downward"\ncolour="green"');
    }, { timeout: 40_000, interval: 1000 });
  });

  test('secrets, config maps and a token arrive in one projected volume, and the token is good', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'word' }, stringData: { word: 'swordfish' } };
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'colour' }, data: { colour: 'green' } };
    await cluster.kubectl.apply(secret, map);
    const sources = [{ secret: { name: 'word', items: [{ key: 'word', path: 'in/word', mode: 0o400 }] } }, { configMap: { name: 'colour' } }, { serviceAccountToken: { path: 'token', audience: 'berth-test', expirationSeconds: 600 } }];
    const main = waiter(cluster.busybox, 'main', { envFrom: [{ secretRef: { name: 'word' } }], volumeMounts: [{ name: 'all', mountPath: '/all', readOnly: true }] });
    await run('projected', { volumes: [{ name: 'all', projected: { sources } }], containers: [main] });
    const inside = async (command: string): Promise<string> => cluster.kubectl.run(['exec', 'projected', '--', 'sh', '-c', command]);
    expect(await inside('cat /all/in/word /all/colour; echo " $word"; stat -Lc %a /all/in/word; touch /all/x 2>/dev/null || echo read-only')).toBe('swordfishgreen swordfish\n400\nread-only\n');

    const token = await inside('cat /all/token');
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences: ['berth-test'] } };
    const answer = JSON.parse(await cluster.kubectl.run(['create', '-o', 'json', '-f', '-'], { input: JSON.stringify(review) })) as { readonly status: object };
    expect(answer.status).toMatchObject({ authenticated: true, user: { username: 'system:serviceaccount:default:default' } });
    expect(await inside('ls /var/run/secrets/kubernetes.io/serviceaccount')).toBe('ca.crt\nnamespace\ntoken\n');
  });

  test('a container that outgrows its memory is OOMKilled', async () => {
    const main = { name: 'main', image: cluster.busybox, command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M'], resources: { limits: { memory: '24Mi' } } };
    await cluster.kubectl.apply(pod('hungry', { restartPolicy: 'Never', containers: [main] }));
    const after = await cluster.kubectl.until<PodStatus>('pod', 'hungry', ({ status }) => status.phase === 'Failed');
    expect(containerOf(after, 'main')?.state.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  test('security context: user, group of the volume, read-only root, dropped capabilities, seccomp', async () => {
    const securityContext = { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, supplementalGroups: [4000], runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
    const main = waiter(cluster.busybox, 'main', { volumeMounts: [{ name: 'data', mountPath: '/data' }], securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } });
    await run('secured', { securityContext, volumes: [{ name: 'data', emptyDir: {} }], containers: [main] });
    const command = 'id -u; id -g; id -G; touch /data/x; stat -c %g /data/x; touch /x 2>/dev/null || echo read-only; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status | tr -d "\\t"';
    expect(await cluster.kubectl.run(['exec', 'secured', '--', 'sh', '-c', command])).toBe('1000\n2000\n2000 3000 4000\n3000\nread-only\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n');
  });
});
