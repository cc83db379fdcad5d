import { request } from 'node:https';
import { Agent, WebSocket } from 'undici';

export interface TerminatedState {
  readonly exitCode: number;
  readonly reason?: string;
  readonly startedAt?: string;
  readonly containerID?: string;
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt: string };
  readonly terminated?: TerminatedState;
}

export interface KubeContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
  readonly imageID?: string;
  readonly state: ContainerState;
  readonly lastState: ContainerState;
}

export interface KubePod {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly KubeContainerStatus[];
    readonly containerStatuses?: readonly KubeContainerStatus[];
  };
}

interface UsageStats {
  readonly cpu?: { readonly usageCoreNanoSeconds?: number };
  readonly memory?: { readonly workingSetBytes?: number };
}

export interface Summary {
  readonly node: UsageStats;
  readonly pods: readonly (UsageStats & { readonly podRef: { readonly name: string }; readonly containers: readonly (UsageStats & { readonly name: string; readonly rootfs?: { readonly usedBytes?: number } })[] })[];
}

/** The kubelet's own HTTPS API, whose certificate it signed itself. */
export class KubeletApi {
  readonly #port: number;
  readonly #agent = new Agent({ connect: { rejectUnauthorized: false } });

  constructor(port: number) {
    this.#port = port;
  }

  /** @throws Error on any answer but 200. */
  async text(path: string, method = 'GET'): Promise<string> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.#port, path, method, rejectUnauthorized: false, timeout: 20_000 }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${body.slice(0, 500)}`));
        });
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  async pods(): Promise<readonly KubePod[]> {
    return (JSON.parse(await this.text('/pods')) as { items: readonly KubePod[] | null }).items ?? [];
  }

  async pod(name: string): Promise<KubePod | undefined> {
    return (await this.pods()).find(({ metadata }) => metadata.name === name);
  }

  async logs(pod: string, container: string, query = ''): Promise<string> {
    return this.text(`/containerLogs/default/${pod}/${container}${query}`);
  }

  async summary(): Promise<Summary> {
    return JSON.parse(await this.text('/stats/summary')) as Summary;
  }

  /** Runs a command through ExecSync; what it printed. */
  async run(pod: string, container: string, command: readonly string[]): Promise<string> {
    return this.text(`/run/default/${pod}/${container}?cmd=${encodeURIComponent(command.join(' '))}`, 'POST');
  }

  /** Runs a command through the streaming server, over a WebSocket that the kubelet passes on; what it wrote to stdout. */
  async exec(pod: string, container: string, command: readonly string[]): Promise<string> {
    const query = command.map((word) => `command=${encodeURIComponent(word)}`).join('&');
    const socket = new WebSocket(`wss://127.0.0.1:${this.#port}/exec/default/${pod}/${container}?output=1&error=1&${query}`, {
      protocols: ['v4.channel.k8s.io'],
      dispatcher: this.#agent,
    });
    socket.binaryType = 'arraybuffer';
    return new Promise((resolve, reject) => {
      let output = '';
      socket.addEventListener('message', ({ data }) => {
        const frame = Buffer.from(data as ArrayBuffer);
        // The first byte is the channel: 1 is stdout, 3 the outcome.
        if (frame[0] === 1) output += frame.subarray(1).toString();
      });
      socket.addEventListener('error', () => {
        reject(new Error(`exec in ${pod}/${container}: the WebSocket failed`));
      });
      socket.addEventListener('close', () => {
        resolve(output);
      });
    });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
