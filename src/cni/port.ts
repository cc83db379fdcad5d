export interface CniPortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIp: string;
}

export interface CniAttachment {
  /** Sandbox id; CNI_CONTAINERID. */
  readonly id: string;
  /** Empty for a DEL after the namespace is gone. */
  readonly netnsPath: string;
  /** CNI_ARGS pairs, e.g. K8S_POD_NAME. */
  readonly args: Readonly<Record<string, string>>;
  readonly portMappings: readonly CniPortMapping[];
  /** Further capability args by name ("dns", "bandwidth", "io.kubernetes.cri.pod-annotations"); passed to plugins that declare them. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

export interface CniResult {
  /** The network's name and the config list that was used, kept so that DEL uses the same even if the file changes. */
  readonly network: string;
  readonly cniVersion: string;
  readonly config: string;
  /** Addresses of the pod's interface without prefix length, the primary first. */
  readonly ips: readonly string[];
  readonly interfaceName: string;
  /** The plugin chain's last result, verbatim JSON: prevResult of CHECK and DEL. */
  readonly raw: string;
}

export interface NetworkStatus {
  readonly ready: boolean;
  /** Why it is not ready, and what to do. Empty when ready. */
  readonly reason: string;
  readonly configPath: string | undefined;
  readonly configJson: string | undefined;
}

/** The pod network. Plugins are run by the agent; the config directory is watched. */
export interface Network {
  status(): NetworkStatus;
  /** Fails `unavailable` when no config is loaded. Undo with detach() even when it failed half-way. */
  attach(attachment: CniAttachment, signal?: AbortSignal): Promise<CniResult>;
  /** Idempotent. `result` undefined means the attach never ended: the current config is used, and without one it fails `unavailable`. */
  detach(attachment: CniAttachment, result: CniResult | undefined, signal?: AbortSignal): Promise<void>;
  check(attachment: CniAttachment, result: CniResult, signal?: AbortSignal): Promise<void>;
  close(): void;
}
