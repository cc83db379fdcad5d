import type { ImageSpec, Int64Value, StringMap } from './common.ts';
import type { FilesystemUsage } from './stats.ts';
import type { PodSandboxConfig } from './sandbox.ts';

export interface ListImagesRequest {
  readonly filter: { readonly image: ImageSpec | null } | null;
}

export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: bigint;
  readonly uid: Int64Value | null;
  readonly username: string;
  readonly pinned: boolean;
}

export interface ListImagesResponse {
  readonly images: readonly Image[];
}

export interface ImageStatusRequest {
  readonly image: ImageSpec | null;
  readonly verbose: boolean;
}

export interface ImageStatusResponse {
  readonly image: Image | null;
  readonly info: StringMap;
}

export interface AuthConfig {
  readonly username: string;
  readonly password: string;
  /** base64 of "user:password". */
  readonly auth: string;
  readonly serverAddress: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

export interface PullImageRequest {
  readonly image: ImageSpec | null;
  readonly auth: AuthConfig | null;
  readonly sandboxConfig: PodSandboxConfig | null;
}

export interface PullImageResponse {
  readonly imageRef: string;
}

export interface RemoveImageRequest {
  readonly image: ImageSpec | null;
}

export interface ImageFsInfoResponse {
  readonly imageFilesystems: readonly FilesystemUsage[];
  readonly containerFilesystems: readonly FilesystemUsage[];
}
