/** A platform in the words of the OCI image spec. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

const architectures: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  loong64: 'loong64',
};

/** The platform of this node, from Node's own words. */
export function platformOf(arch: NodeJS.Architecture, armVersion: string): Platform {
  const architecture = architectures[arch] ?? arch;
  if (architecture === 'arm64') return { os: 'linux', architecture, variant: 'v8' };
  if (architecture === 'arm') return { os: 'linux', architecture, variant: `v${armVersion === '' ? '7' : armVersion}` };
  return { os: 'linux', architecture, variant: '' };
}

/** The platform of the node that this process runs on. */
export function nodePlatform(): Platform {
  const variables = process.config.variables as unknown as { readonly arm_version?: string | number };
  return platformOf(process.arch, String(variables.arm_version ?? ''));
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== '').join('/');
}

const variantNumber = (variant: string): number => Number(/^v(\d+)$/.exec(variant)?.[1] ?? NaN);

/** A processor runs what was built for it and for its elders; above that there is nothing to rank. */
function rankVariant(wanted: string, offered: string): number {
  if (offered === wanted) return 1000;
  if (offered === '') return 500;
  const age = variantNumber(wanted) - variantNumber(offered);
  return age > 0 ? 400 - age : 0;
}

/** How well an image for `offered` runs on `node`; 0 when it does not. Fields that the image leaves empty match. */
export function rankPlatform(node: Platform, offered: Platform): number {
  if (offered.os !== '' && offered.os !== node.os) return 0;
  if (offered.architecture === '') return 1;
  return offered.architecture === node.architecture ? rankVariant(node.variant, offered.variant) : 0;
}
