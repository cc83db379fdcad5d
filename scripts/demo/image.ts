import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const applets = ['sh', 'cat', 'echo', 'hostname', 'httpd', 'id', 'ip', 'ls', 'ps', 'sleep', 'uname', 'wget'];

const digest = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

function writeBlob(layout: string, content: string | Buffer, mediaType: string): { mediaType: string; digest: string; size: number } {
  const hex = digest(content);
  writeFileSync(join(layout, 'blobs/sha256', hex), content);
  return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
}

function rootfs(scratch: string, busybox: string): string {
  const root = join(scratch, 'rootfs');
  for (const dir of ['bin', 'etc', 'tmp', 'www']) mkdirSync(join(root, dir), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const applet of applets) linkSync(join(root, 'bin/busybox'), join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  writeFileSync(join(root, 'www/index.html'), 'hello from berth\n');
  return root;
}

/** Makes an OCI layout tar of one layer from the machine's static busybox; returns its path. */
export function buildDemoImage(scratch: string, reference: string, busybox = '/bin/busybox'): string {
  const layout = join(scratch, 'layout');
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const layer = execFileSync('tar', ['-C', rootfs(scratch, busybox), '--owner=0', '--group=0', '-c', '.'], { maxBuffer: 64 << 20 });
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['/bin/sh'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: writeBlob(layout, JSON.stringify(config), 'application/vnd.oci.image.config.v1+json'),
    layers: [writeBlob(layout, layer, 'application/vnd.oci.image.layer.v1.tar')],
  };
  const entry = { ...writeBlob(layout, JSON.stringify(manifest), manifest.mediaType), annotations: { 'io.containerd.image.name': reference } };
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  const archive = join(scratch, 'demo-image.tar');
  execFileSync('tar', ['-C', layout, '-cf', archive, '.']);
  return archive;
}
