import { gzipSync, zstdCompressSync } from 'node:zlib';
import { baseFiles, staticBusybox } from '../fixtures/busybox.ts';
import { blob, jsonBlob, mediaTypes, sha256, type Blob, type Dialect } from '../fixtures/blob.ts';
import { buildImage, buildIndex, hostPlatform, type Image, type ImageRunConfig, type Index } from '../fixtures/images.ts';
import { layer, layerOfTar, type Layer } from '../fixtures/layer.ts';
import { dir, encodeEntry, file, hardlink, symlink, writeTar, type TarEntry } from '../fixtures/tar.ts';

/** An image that somebody's tool made, and what its command prints when it runs. */
export interface OddImage {
  readonly name: string;
  readonly image: Image | Index;
  readonly prints: string;
}

const Env = ['PATH=/bin'];
const shell = (script: string): Pick<ImageRunConfig, 'Cmd'> => ({ Cmd: ['/bin/sh', '-c', script] });
const base: Readonly<Record<Dialect, Layer>> = {
  oci: layer([...baseFiles(['app:x:1000:1000::/:/bin/sh']), ...staticBusybox()]),
  docker: layer([...baseFiles(), ...staticBusybox()], { dialect: 'docker' }),
};

interface Parts {
  readonly above?: readonly Layer[];
  readonly run?: ImageRunConfig;
  readonly dialect?: Dialect;
}

function make(label: string, { above = [], run = {}, dialect = 'oci' }: Parts): Image {
  return buildImage({ label, dialect, layers: [base[dialect], ...above], run: { Env, ...run } });
}

/** The image with the text, or the media type, of its config changed. */
function withConfig(image: Image, change: (text: string) => string | Buffer, mediaType = image.config.descriptor.mediaType): Image {
  const config = blob(Buffer.from(change(Buffer.from(image.config.bytes).toString())), mediaType);
  return { ...image, config, manifest: changed(image.manifest, { config: config.descriptor }) };
}

const changed = (document: Blob, fields: object): Blob => jsonBlob({ ...(JSON.parse(Buffer.from(document.bytes).toString()) as object), ...fields }, document.descriptor.mediaType);

const withTop = (image: Image, fields: object): Image => withConfig(image, (text) => JSON.stringify({ ...(JSON.parse(text) as object), ...fields }));

/** A layer whose blob and media type are not made by our own writer. */
function packed(tar: Buffer, bytes: Buffer, mediaType: string): Layer {
  return { ...blob(bytes, mediaType), diffId: sha256(tar) };
}

const hello = writeTar([file('hello', 'hello\n')]);
const { oci, docker } = mediaTypes;
const cat = shell('cat /hello');

function names(): readonly OddImage[] {
  const lower = withConfig(make('lower', { run: shell('echo $A $PWD; id -u') }), (text) =>
    text.replace('"Cmd":', '"EntryPoint":').replace('"Env":["PATH=/bin"]', '"env":["PATH=/bin","A=b"],"workingdir":"/www","user":"1000"'),
  );
  const twice = withConfig(make('twice', { run: { ...shell('id -u'), User: '1000' } }), (text) => text.replace('"rootfs"', '"Config":{"Labels":{"a":"b"}},"rootfs"'));
  const latin = withConfig(make('latin', { run: shell('echo read') }), (text) => Buffer.from(text.replace('fixture latin', 'J\u00fcrgen'), 'latin1'));
  const plain = make('manifest', { run: shell('echo read') });
  const text = Buffer.from(plain.manifest.bytes).toString().replace('"mediaType"', '"MediaType"').replace('"config"', '"Config"').replaceAll('"digest"', '"Digest"').replace('"layers"', '"LAYERS"');
  return [
    { name: 'a config with fields in other cases', image: lower, prints: 'b /www\n1000\n' },
    { name: 'a config whose user comes before a second section', image: twice, prints: '1000\n' },
    { name: 'a config with bytes that are no UTF-8', image: latin, prints: 'read\n' },
    { name: 'a manifest with fields in other cases', image: { ...plain, manifest: blob(Buffer.from(text), oci.manifest) }, prints: 'read\n' },
  ];
}

function platforms(): readonly OddImage[] {
  const of = (label: string, fields: object): OddImage => ({ name: `the only build, for ${label}`, image: withTop(make(label, { run: shell('echo runs') }), fields), prints: 'runs\n' });
  const offered = make('offered', { run: shell('echo runs') });
  const other = make('other', { run: shell('echo wrong') });
  const crossed = withTop(make('crossed', { run: shell('echo runs') }), { architecture: 's390x' });
  const { index } = buildIndex([offered]);
  const entry = offered.manifest.descriptor;
  const manifests = [
    { ...other.manifest.descriptor, platform: { os: 'unknown', architecture: 'unknown' } },
    { ...other.manifest.descriptor, digest: `sha512:${'0'.repeat(128)}`, platform: hostPlatform },
    { ...other.manifest.descriptor, platform: { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763.1' } },
    { ...other.manifest.descriptor, platform: { os: 'linux', architecture: 'amd64', variant: 'v4' } },
    { ...entry, platform: { os: 'Linux', architecture: 'x86_64' } },
  ];
  return [
    of('amd64/v8, as kaniko writes', { variant: 'v8' }),
    of('amd64/v1', { variant: 'v1' }),
    of('X86_64', { os: 'Linux', architecture: 'X86_64' }),
    of('nobody', { os: undefined, architecture: undefined }),
    { name: 'an index with attestations, an unknown digest algorithm, other variants and another word for the processor', image: { images: [offered, other], index: changed(index, { manifests }) }, prints: 'runs\n' },
    { name: 'an index that says another platform than the config', image: { images: [crossed], index: changed(index, { manifests: [{ ...crossed.manifest.descriptor, platform: hostPlatform }] }) }, prints: 'runs\n' },
    { name: 'an index without platforms', image: { images: [offered], index: changed(index, { manifests: [entry] }) }, prints: 'runs\n' },
  ];
}

function mediaTypesOf(): readonly OddImage[] {
  // With a layer of its own each, which no other has unpacked before it.
  const above = (name: string, pack: (tar: Buffer) => Layer, dialect: Dialect = 'oci'): OddImage => {
    const tar = writeTar([file('hello', 'hello\n'), file('name', name)]);
    return { name, image: make(name, { above: [pack(tar)], run: cat, dialect }), prints: 'hello\n' };
  };
  const old = make('octet', { run: shell('echo old'), dialect: 'docker' });
  return [
    { name: 'a config of the type application/octet-stream', image: withConfig(old, (text) => text, 'application/octet-stream'), prints: 'old\n' },
    { name: 'a config of no type', image: withConfig(old, (text) => text.replace('octet', 'none'), ''), prints: 'old\n' },
    above('a foreign layer that the registry holds', (tar) => packed(tar, gzipSync(tar), 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'), 'docker'),
    above('a foreign layer that is zstd', (tar) => packed(tar, zstdCompressSync(tar), 'application/vnd.docker.image.rootfs.foreign.diff.tar.zstd'), 'docker'),
    above('a layer that may not be distributed', (tar) => packed(tar, tar, 'application/vnd.oci.image.layer.nondistributable.v1.tar')),
    above('a tar layer that is gzip', (tar) => packed(tar, gzipSync(tar), oci.layer.none)),
    above('a gzip layer that is tar', (tar) => packed(tar, tar, oci.layer.gzip)),
    above('a gzip layer that is zstd', (tar) => packed(tar, zstdCompressSync(tar), docker.layer.gzip), 'docker'),
    above('zstd that begins with a skippable frame', (tar) => packed(tar, Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]), zstdCompressSync(tar)]), oci.layer.zstd)),
  ];
}

const big = (entries: readonly string[]): string => `${entries.join('\n')}\n${Array.from({ length: 60_000 }, (_, index) => `u${index}:x:${index + 100_000}:1::/:/bin/sh`).join('\n')}\n`;

function accounts(): readonly OddImage[] {
  const of = (name: string, files: readonly TarEntry[], run: ImageRunConfig, prints: string): OddImage => ({ name, image: make(name, { above: [layer(files)], run: { ...shell('id -u; id -g; id -G'), ...run } }), prints });
  const passwd = file('etc/passwd', big(['root:x:0:0::/:/bin/sh', 'app:x:1000:1001::/:/bin/sh']));
  const group = file('etc/group', 'root:x:0:\napp:x:1001:\nextra:x:50000:app\n');
  return [
    of('accounts with blanks in front and comments', [file('etc/passwd', '# comment\n  root:x:0:0::/:/bin/sh\n\tapp:x:1000:1001::/:/bin/sh \n'), group], { User: 'app' }, '1000\n1001\n1001 50000\n'),
    of('a passwd of more than 1 MiB and a number', [passwd, group], { User: '1000' }, '1000\n1001\n1001 50000\n'),
    of('a passwd of more than 1 MiB and a name at its end', [passwd], { User: 'u59999' }, '159999\n1\n1\n'),
  ];
}

const pax = (text: string, flag = 'x'): Buffer => encodeEntry({ name: 'pax', content: text, patch: (header) => header.write(flag, 156, 'latin1') });

function archives(): readonly OddImage[] {
  const of = (name: string, tar: Buffer, script: string, prints: string): OddImage => ({ name, image: make(name, { above: [layerOfTar(tar)], run: shell(script) }), prints });
  const end = Buffer.alloc(1024);
  const entry = encodeEntry(file('hello', 'hello\n'));
  const aufs = writeTar([dir('q'), dir('.wh..wh.plnk'), file('.wh..wh.plnk/1.2', 'linked\n'), hardlink('q/h', '.wh..wh.plnk/1.2'), file('.wh..wh.orph/x', '')]);
  const zeros = writeTar([file('prealloc', Buffer.alloc(100 << 20))]);
  return [
    of('a layer without end mark', entry, 'cat /hello', 'hello\n'),
    of('a layer whose last member is not padded', entry.subarray(0, 512 + 6), 'cat /hello', 'hello\n'),
    of('two PAX headers in a row', Buffer.concat([pax('13 path=lost\n'), pax('14 path=hello\n'), encodeEntry(file('x', 'hello\n')), end]), 'cat /hello; ls /lost /x 2>/dev/null', 'hello\n'),
    of('a global PAX header', Buffer.concat([pax('17 comment=abcde\n', 'g'), entry, end]), 'cat /hello', 'hello\n'),
    of('owners of macOS', writeTar([file('hello', '', { uid: -2, gid: -2 })]), 'stat -c %u:%g /hello', '4294967294:4294967294\n'),
    of('hard links named like the root', writeTar([file('hello', 'hello\n'), hardlink('./', 'hello'), hardlink('', 'hello')]), 'cat /hello', 'hello\n'),
    of('leftovers of AUFS', aufs, 'cat /q/h; ls -a / | grep wh', 'linked\n'),
    { name: 'a file of 100 MiB of zeros', image: make('zeros', { above: [packed(zeros, zstdCompressSync(zeros), oci.layer.zstd)], run: shell('stat -c %s /prealloc') }), prints: '104857600\n' },
  ];
}

function configs(): readonly OddImage[] {
  const kernel = shell('for path in /proc /sys /dev /dev/shm /sys/fs/cgroup; do grep -c " $path " /proc/mounts; done; grep -c . /proc/sys/kernel/pid_max; cat /data/x');
  const Volumes = Object.fromEntries(['/proc', '/proc/sys', '/kernel', '/sys', '/sys/fs/cgroup', '/dev', '/dev/shm', '/etc/hosts', '/', '/data', '/alias', '/data/sub'].map((path) => [path, {}]));
  const files = layer([dir('data'), file('data/x', 'volume\n'), symlink('kernel', '/proc'), symlink('alias', 'data')]);
  return [
    { name: 'variables without a value', image: make('env', { run: { ...shell('env | grep -v PATH | grep -v HOSTNAME | grep -v SHLVL | grep -v PWD | grep -v HOME'), Env: ['PATH=/bin', 'A=1', 'A', 'NOTHING', '', 'B='] } }), prints: 'A=1\nB=\n' },
    { name: 'VOLUMEs where the kernel shows itself', image: make('volumes', { above: [files], run: { ...kernel, Volumes } }), prints: '1\n1\n1\n1\n1\n1\nvolume\n' },
  ];
}

/** What all the others stand on, so that it is unpacked once. */
export const plainImage: Image = make('plain', {});

/**
 * Under containerd 2.4.2 with runc they print the same, but for a few: it asks for the unknown digest algorithm, cannot
 * unpack an image whose config has another type, shows the leftovers of AUFS, and hands the VOLUMEs to runc, which refuses.
 */
export const oddImages: readonly OddImage[] = [...names(), ...platforms(), ...mediaTypesOf(), ...accounts(), ...archives(), ...configs()];

/** Its second layer is foreign. */
export const foreignImage: Image = make('foreign', { above: [packed(hello, hello, 'application/vnd.oci.image.layer.nondistributable.v1.tar')], run: { Labels: { only: 'here' } } });

/** Images that no node can run, with what is said of each. */
export const refusedImages: readonly { readonly name: string; readonly image: Image; readonly says: RegExp }[] = [
  { name: '400,000 variables', image: make('many', { run: { Env: Array.from({ length: 400_000 }, (_, index) => `V${index}=x`) } }), says: /400000 environment variables, more than the limit of 10000/ },
  { name: '20,000 volumes', image: make('volumes', { run: { Volumes: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`/v${index}`, {}])) } }), says: /20000 volumes, more than the limit of 1000/ },
  { name: 'another architecture', image: withTop(make('arm', {}), { architecture: 's390x' }), says: /linux\/s390x but this node is linux/ },
  { name: 'an artifact', image: withConfig(make('artifact', {}), () => '{}', 'application/vnd.oci.empty.v1+json'), says: /no container image.*oci\.empty/ },
  { name: 'an encrypted layer', image: make('encrypted', { above: [packed(hello, hello, `${oci.layer.gzip}+encrypted`)] }), says: /unknown type/ },
];
