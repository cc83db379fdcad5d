import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeLayoutTar } from '../fixtures/archive.ts';
import { TestImages } from '../fixtures/test-images.ts';

const build = join(import.meta.dirname, '../../build');
const { version } = JSON.parse(readFileSync(join(build, '../package.json'), 'utf8')) as { readonly version: string };

/** The package that `make deb` made. */
export const packageFile = join(build, `berth_${version}_amd64.deb`);
/** What the same package is called once it is a later version of itself. */
export const nextVersion = `${version}+next1`;
export const busybox = 'debian.test/busybox:1';
export const httpd = 'debian.test/httpd:1';

/** The same files as a later version: what an upgrade meets. */
function writeNext(scratch: string, target: string): void {
  const tree = join(scratch, 'next-tree');
  execFileSync('dpkg-deb', ['-R', packageFile, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${nextVersion}`));
  const manifest = join(tree, 'usr/lib/berth/package.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(`"version": "${version}"`, `"version": "${nextVersion}"`));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zzstd', '-z1', '--build', tree, target], { stdio: 'ignore' });
  rmSync(tree, { recursive: true });
}

/** Makes the disk that machines find at /payload: the package, a later one below `next`, what `make install` installs below `source`, and images. Returns its path. */
export function makePayload(scratch: string): string {
  if (!existsSync(packageFile)) throw new Error(`${packageFile} is missing: make deb`);
  const files = join(scratch, 'payload');
  mkdirSync(join(files, 'next'), { recursive: true });
  copyFileSync(packageFile, join(files, `berth_${version}_amd64.deb`));
  writeNext(scratch, join(files, 'next', `berth_${nextVersion}_amd64.deb`));
  // What the machine would build, it gets: a build takes hours there, and `make test` shows it.
  execFileSync(join(build, '../scripts/install.sh'), ['/usr/local', join(files, 'source')], { stdio: 'ignore' });
  const images = new TestImages();
  writeLayoutTar(join(files, 'images.tar'), { [busybox]: images.busybox(), [httpd]: images.httpd() });
  const disk = join(scratch, 'payload.img');
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', files, '-L', 'payload', disk, '1G']);
  rmSync(files, { recursive: true });
  return disk;
}
