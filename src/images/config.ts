import type { SnapshotterName } from '../snapshotter/port.ts';

/** How to reach one registry host. */
export interface RegistryHostConfig {
  /** `host[:port]` that really serves this registry, where it differs from the name; empty: the name itself. Gets the credentials. */
  readonly server: string;
  /** `host[:port]` asked first, in order. They get no credentials that were not given for them by name. */
  readonly mirrors: readonly string[];
  /** Speak plain HTTP. */
  readonly insecure: boolean;
  /** PEM file with further certificate authorities; empty: the usual ones only. */
  readonly ca: string;
  /** PEM files of the certificate and key that this node shows; empty: none. */
  readonly clientCert: string;
  readonly clientKey: string;
  /** Accept any certificate. */
  readonly skipVerify: boolean;
  /** Used when a pull brings no credentials of its own; empty: none. */
  readonly username: string;
  readonly password: string;
  readonly identityToken: string;
}

export interface ImagesConfig {
  /** `host[/namespace]` for names without a host; empty refuses them. Docker Hub's `library` needs no writing. */
  readonly defaultRegistry: string;
  /** By host in lower case; the settings' `registries` tables. */
  readonly hosts: Readonly<Record<string, RegistryHostConfig>>;
  /** Directories laid out as containerd's certs.d; the first that knows a registry counts. */
  readonly certsDirs: readonly string[];
  /** Where images are unpacked that nobody wants elsewhere. */
  readonly defaultSnapshotter: SnapshotterName;
  /** Layers of one pull that download at the same time. */
  readonly maxConcurrentDownloads: number;
  /** Pulls that work at the same time; the others wait. */
  readonly maxConcurrentPulls: number;
  /** Bytes a second below which a download is given up, over the progress timeout; 0: never. */
  readonly minRate: number;
  /** A request in which no byte moves for this long is given up and tried again. */
  readonly progressTimeoutMs: number;
  /** Drop layer blobs once they are unpacked. */
  readonly discardUnpackedLayers: boolean;
  /** References of images that the kubelet must not collect. */
  readonly pinned: readonly string[];
}
