/** The pods that the suite runs, as pod specs. */

export interface PodImages {
  readonly busybox: string;
}

/** A pod that uses most of what a plain pod can ask a runtime for. */
export function fullPod({ busybox }: PodImages, hostPort: number): object {
  const data = { name: 'data', mountPath: '/data' };
  return {
    hostname: 'full',
    terminationGracePeriodSeconds: 2,
    volumes: [{ name: 'data', emptyDir: {} }],
    initContainers: [{ name: 'init', image: busybox, command: ['sh', '-c', 'echo from init >/data/index.html; echo init done'], volumeMounts: [data] }],
    containers: [
      {
        name: 'web',
        image: busybox,
        command: ['sh', '-c', 'echo web starts; exec httpd -f -p 8080 -h /data'],
        ports: [{ containerPort: 8080, hostPort }],
        volumeMounts: [data],
        resources: { limits: { memory: '64Mi', cpu: '500m' }, requests: { memory: '32Mi', cpu: '10m' } },
        lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo hooked >/data/hook'] } } },
        readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
      },
      {
        name: 'side',
        image: busybox,
        command: ['sh', '-c', 'echo side starts; trap "exit 0" TERM; while :; do sleep 1 & wait; done'],
        volumeMounts: [data],
        readinessProbe: { exec: { command: ['cat', '/data/hook'] }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1 },
      },
    ],
  };
}

/** A container that fails after two seconds: long enough to find it running, with its predecessor dead beside it. */
export const crashingPod = ({ busybox }: PodImages): object => ({
  terminationGracePeriodSeconds: 0,
  containers: [{ name: 'crash', image: busybox, command: ['sh', '-c', 'echo about to fail; sleep 2; exit 7'] }],
});

/** A container that wants more memory than it may have. */
export const hungryPod = ({ busybox }: PodImages): object => ({
  terminationGracePeriodSeconds: 0,
  restartPolicy: 'Never',
  containers: [{ name: 'hungry', image: busybox, command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M'], resources: { limits: { memory: '24Mi' } } }],
});
