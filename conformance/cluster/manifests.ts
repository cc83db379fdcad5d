/** The objects that the suites give to the API server, and what they read back. */

/** A web server on port 80 that serves its own host name, and ends at once when it is told to. */
export const webServer = (image: string): object => ({
  name: 'web',
  image,
  command: ['sh', '-c', 'hostname >/www/index.html; echo web starts; exec httpd -f -p 80 -h /www'],
  ports: [{ containerPort: 80 }],
  readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
});

/** Waits, and ends at once when it is told to. */
export const waiter = (image: string, name = 'main', over: object = {}): object => ({
  name,
  image,
  command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1 & wait; done'],
  ...over,
});

export const pod = (name: string, spec: object): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 2, ...spec },
});

/** Pods that a controller makes, by its template. */
export const template = (name: string, spec: object): object => ({ metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 2, ...spec } });

export interface Controller {
  readonly kind: 'Deployment' | 'DaemonSet' | 'StatefulSet';
  readonly name: string;
  /** The pods' spec. */
  readonly spec: object;
  /** More fields of the controller's spec. */
  readonly over?: object;
}

export const controller = ({ kind, name, spec, over = {} }: Controller): object => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name, spec), ...over },
});

/** Twenty web servers; another `version` makes the controller replace them all. */
export const webDeployment = (image: string, version = '1'): object =>
  controller({ kind: 'Deployment', name: 'web', spec: { containers: [{ ...webServer(image), env: [{ name: 'VERSION', value: version }] }] }, over: { replicas: 20 } });
