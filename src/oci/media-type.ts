const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';

export const mediaTypes = {
  ociIndex,
  ociManifest,
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  dockerList,
  dockerManifest,
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
} as const;

/** What a registry is asked for: everything that can lead to a runnable image. */
export const acceptedManifests = [ociIndex, ociManifest, dockerList, dockerManifest].join(', ');

/** `foreign`: a layer that its registry may not distribute; `other`: not a filesystem layer at all. */
export type LayerCompression = 'none' | 'gzip' | 'zstd' | 'foreign' | 'other';

const layers: Readonly<Record<string, LayerCompression>> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar': 'foreign',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip': 'foreign',
  'application/vnd.oci.image.layer.nondistributable.v1.tar': 'foreign',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'foreign',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': 'foreign',
};

export function layerCompression(mediaType: string): LayerCompression {
  return layers[mediaType] ?? 'other';
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === ociIndex || mediaType === dockerList;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === ociManifest || mediaType === dockerManifest;
}

export function isConfigType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociConfig || mediaType === mediaTypes.dockerConfig;
}

/** Docker's first manifest format, with or without a signature. */
export function isSchemaOne(mediaType: string): boolean {
  return mediaType.startsWith('application/vnd.docker.distribution.manifest.v1+');
}
