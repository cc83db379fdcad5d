/** A platform in the words of the OCI image spec. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  /** What the image wants of the system beyond its name. Default: nothing. */
  readonly osFeatures?: readonly string[];
}

/** Other words for an architecture, with the variant that they imply. */
const otherWords: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ['386', ''],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

/** Of an architecture without a variant that one is meant which most people have. */
const usualVariants: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

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

/** `8`, `v8` and `v8.0` are one, and an empty variant is the usual one. */
function normalVariant(architecture: string, variant: string): string {
  const usual = usualVariants[architecture];
  if (usual === undefined) return variant;
  return variant === '' ? usual : variant.replace(/^v?(\d+(?:\.[1-9]\d*)?)(?:\.0)?$/, 'v$1');
}

/** The words that containerd's platforms library uses; the system is Linux where nothing is said. */
export function normalPlatform({ os, architecture, variant, ...rest }: Platform): Platform {
  const written = architecture.toLowerCase();
  const [name, implied] = otherWords[written] ?? [written];
  return { ...rest, os: os.toLowerCase() || 'linux', architecture: name, variant: normalVariant(name, implied ?? variant.toLowerCase()) };
}

const variantsDown = (from: number, to: number): readonly string[] => Array.from({ length: Math.max(from - to + 1, 0) }, (_, index) => `v${from - index}`);

const pointed = (major: number, minor: number): readonly string[] => Array.from({ length: minor + 1 }, (_, index) => (index === minor ? `v${major}` : `v${major}.${minor - index}`));

/** Variants of a 64-bit ARM that run on one of `variant`, best first: version 9.x knows all of 8.(x+5). */
function arm64Variants(variant: string): readonly string[] {
  const [, major, minor = '0'] = /^v([89])(?:\.(\d))?$/.exec(variant) ?? [];
  if (major === undefined) return [variant];
  return major === '8' ? pointed(8, Number(minor)) : [...pointed(9, Number(minor)), ...pointed(8, Math.min(Number(minor) + 5, 9))];
}

/** `architecture/variant` of what runs on the node, best first: 64-bit processors also run what is made for 32 bits. */
function runnable({ architecture, variant }: Platform): readonly string[] {
  const version = Number(/^v(\d+)/.exec(variant)?.[1] ?? 0);
  if (architecture === 'amd64') return [...variantsDown(version, 1).map((one) => `amd64/${one}`), '386/'];
  if (architecture === 'arm') return variantsDown(version, 5).map((one) => `arm/${one}`);
  if (architecture === 'arm64') return [...arm64Variants(variant).map((one) => `arm64/${one}`), ...variantsDown(8, 5).map((one) => `arm/${one}`)];
  return [`${architecture}/${variant}`];
}

/** How well an image that an index offers for `offered` runs on `node`; 0 when it does not. No architecture fits, but badly. */
export function rankPlatform(node: Platform, offered: Platform): number {
  const { os, architecture, variant, osFeatures = [] } = normalPlatform(offered);
  if (os !== node.os || osFeatures.length > 0) return 0;
  if (architecture === '') return 1;
  const order = runnable(normalPlatform(node));
  const place = order.indexOf(`${architecture}/${variant}`);
  return place < 0 ? 0 : 1 + order.length - place;
}

/**
 * Whether the only build of an image is for the node. Builders leave variants of other machines behind (kaniko writes v8 for
 * amd64), so that nothing but system and architecture counts; those that the image does not name match.
 */
export function isForNode(node: Platform, image: Platform): boolean {
  const { os, architecture } = normalPlatform(image);
  return os === node.os && (architecture === '' || runnable(normalPlatform(node)).some((one) => one.startsWith(`${architecture}/`)));
}
