import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CertificateAuthority, type KeyPair } from '../fixtures/tls.ts';

/** Who calls the API server, with the names that Kubernetes' own roles are bound to. */
const clients = {
  admin: { user: 'admin', groups: ['system:masters'] },
  kubelet: { user: 'system:node:n1', groups: ['system:nodes'] },
  'controller-manager': { user: 'system:kube-controller-manager', groups: [] },
  scheduler: { user: 'system:kube-scheduler', groups: [] },
  'metrics-server': { user: 'system:serviceaccount:kube-system:metrics-server', groups: [] },
} as const;

export type ClientName = keyof typeof clients;

/** The keys, tokens and kubeconfigs of a cluster, as files in a directory. Nothing in them works anywhere else. */
export class Credentials {
  readonly #directory: string;
  readonly server: string;
  /** Signs what the API server shows to the servers behind it. */
  readonly frontProxy: { readonly ca: KeyPair; readonly client: KeyPair };

  /** @param server URL of the API server. */
  constructor(directory: string, server: string) {
    this.#directory = directory;
    this.server = server;
    const authority = new CertificateAuthority(directory);
    this.frontProxy = { ca: authority.ca, client: authority.issue('front-proxy') };
    execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', this.serviceAccountKey], { stdio: 'ignore' });
    const tokens = Object.keys(clients).map((name) => [name as ClientName, randomBytes(16).toString('hex')] as const);
    writeFileSync(this.tokenFile, tokens.map(([name, token]) => `${token},${clients[name].user},${name},"${clients[name].groups.join(',')}"\n`).join(''), { mode: 0o600 });
    for (const [name, token] of tokens) this.#writeKubeconfig(name, token);
  }

  #writeKubeconfig(name: ClientName, token: string): void {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'berth',
      clusters: [{ name: 'berth', cluster: { server: this.server, 'certificate-authority': this.serverCertificate } }],
      users: [{ name, user: { token } }],
      contexts: [{ name: 'berth', context: { cluster: 'berth', user: name } }],
    };
    writeFileSync(this.kubeconfig(name), JSON.stringify(config, undefined, 2), { mode: 0o600 });
  }

  kubeconfig(name: ClientName): string {
    return join(this.#directory, name === 'admin' ? 'kubeconfig' : `${name}.kubeconfig`);
  }

  /** Where the API server finds or makes its certificate, which has its own CA in the same file. */
  get serverDirectory(): string {
    return join(this.#directory, 'apiserver');
  }

  get serverCertificate(): string {
    return join(this.serverDirectory, 'apiserver.crt');
  }

  get tokenFile(): string {
    return join(this.#directory, 'tokens.csv');
  }

  get serviceAccountKey(): string {
    return join(this.#directory, 'service-account.key');
  }
}
