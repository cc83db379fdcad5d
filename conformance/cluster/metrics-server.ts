import { join } from 'node:path';
import type { ControlPlane } from './control-plane.ts';
import type { Credentials } from './credentials.ts';
import type { Kubectl } from './kubectl.ts';

const port = 4443;
const labels = { 'k8s-app': 'metrics-server' };
const meta = { name: 'metrics-server', namespace: 'kube-system' };
const subject = { kind: 'ServiceAccount', ...meta };

const bind = (name: string, role: string): object => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  subjects: [subject],
});

/** What lets the server read and the API server find it: as in its own manifests, but that it is no pod. */
const objects = (address: string): readonly object[] => [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'metrics-reader' },
    rules: [
      { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
    ],
  },
  bind('metrics-server-reader', 'metrics-reader'),
  bind('metrics-server-delegator', 'system:auth-delegator'),
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: meta,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'extension-apiserver-authentication-reader' },
    subjects: [subject],
  },
  { apiVersion: 'v1', kind: 'Service', metadata: meta, spec: { ports: [{ name: 'https', port: 443, targetPort: port }] } },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...meta, labels: { ...labels, 'kubernetes.io/service-name': meta.name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  },
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: { group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: { ...meta, port: 443 } },
  },
];

export interface MetricsServerPlace {
  readonly directory: string;
  readonly address: string;
  readonly plane: ControlPlane;
  readonly kubectl: Kubectl;
  readonly credentials: Credentials;
}

/** Serves `kubectl top`. It runs beside the control plane, since a pod of it would need a proxy for services. */
export async function startMetricsServer({ directory, address, plane, kubectl, credentials }: MetricsServerPlace): Promise<void> {
  await kubectl.apply(...objects(address));
  const kubeconfig = credentials.kubeconfig('metrics-server');
  plane.run('metrics-server', [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--secure-port=${port}`,
    `--cert-dir=${join(directory, 'metrics-server')}`,
    '--kubelet-insecure-tls',
    '--kubelet-preferred-address-types=InternalIP',
    '--metric-resolution=10s',
    // Must be less.
    '--kubelet-request-timeout=5s',
  ]);
}
