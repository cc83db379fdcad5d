import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const checkout = join(import.meta.dirname, '../..');

const run = (program: string, ...args: readonly string[]): string => execFileSync(program, args, { cwd: checkout, encoding: 'utf8', maxBuffer: 16 << 20 });

let destination: string;
beforeAll(() => {
  destination = mkdtempSync(join(tmpdir(), 'berth-install-'));
  run('scripts/install.sh', '/opt/berth', destination);
});
afterAll(() => {
  rmSync(destination, { recursive: true, force: true });
});

const installed = (path: string): string => join(destination, path);

describe('make install', () => {
  test('what is installed runs from below its prefix, on the Node that came with it', () => {
    expect(run(installed('opt/berth/bin/berth'), '--help')).toContain('Usage: berth');
    expect(run(installed('opt/berth/sbin/berthd'), '--version')).toMatch(/^berthd \d/);
    expect(run(installed('opt/berth/lib/berth/node_modules/.bin/node'), '--version')).toBe(run('node_modules/.bin/node', '--version'));
  });

  test('berthd finds its native programs there: it gets as far as a place that it cannot lock', () => {
    // A root that is a file; had a program been missing, the error would name that.
    const config = join(destination, 'config.toml');
    execFileSync('sh', ['-c', `echo 'state_root = "/dev/null/state"' >${config}`]);
    expect(() => execFileSync(installed('opt/berth/sbin/berthd'), ['--config', config], { stdio: 'pipe', env: { ...process.env, CACHE_DIRECTORY: join(destination, 'cache') } })).toThrow(/\/dev\/null\/state/);
  });

  test('every module that the sources name can be loaded, and none that only tests and compilers need', () => {
    const files = globSync('opt/berth/lib/berth/src/**/*.ts', { cwd: destination });
    expect(files.filter((file) => file.endsWith('.test.ts') || file.includes('/testing/'))).toEqual([]);
    const named = new Set(files.flatMap((file) => [...readFileSync(installed(file), 'utf8').matchAll(/(?:from |import\()'([a-z@][^'\s]*)'/g)].map((match) => match[1] ?? '')));
    const modules = [...named].filter((name) => !name.startsWith('node:'));
    expect(modules.length).toBeGreaterThan(10);
    const load = modules.map((name) => `await import('${name}');`).join(' ');
    execFileSync('node_modules/.bin/node', ['--input-type=module', '-e', load], { cwd: installed('opt/berth/lib/berth'), stdio: 'pipe' });
    for (const name of ['vitest', 'typescript', 'oxlint']) expect(globSync(`opt/berth/lib/berth/node_modules/${name}`, { cwd: destination })).toEqual([]);
  });

  test('documents come with it, and each link between them leads somewhere', () => {
    const documents = globSync('opt/berth/share/doc/berth/*.md', { cwd: destination });
    expect(documents.map((path) => path.split('/').at(-1)).toSorted()).toEqual(['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'INSTALL.md', 'README.md', 'security.md']);
    const links = documents.flatMap((path) => [...readFileSync(installed(path), 'utf8').matchAll(/\]\(([^)#:]+)\)/g)].map((match) => join(installed(path), '..', match[1] ?? '')));
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !existsSync(link))).toEqual([]);
    expect(readFileSync(installed('opt/berth/share/doc/berth/LICENSE'), 'utf8')).toContain('Apache License');
  });

  test('the unit starts what was installed', () => {
    expect(readFileSync(installed('opt/berth/lib/systemd/system/berthd.service'), 'utf8')).toContain('ExecStart=/opt/berth/lib/berth/bin/berthd --config /etc/berth/config.toml');
  });

  test('berth(1) has every command, and man reads both manuals without a complaint', () => {
    const page = run('gzip', '-dc', installed('opt/berth/share/man/man1/berth.1.gz'));
    for (const command of ['images', 'pods', 'ps', 'logs', 'exec', 'stop', 'pull', 'import', 'trace', 'info', 'config check', 'completion']) expect(page).toMatch(new RegExp(`^\\.SS berth ${command}`, 'm'));
    expect(page).toMatch(/^\.B \\-a, \\-\\-all$/m);
    // Commander shows [options] where --help is the only one.
    expect(page).toMatch(/^\.SS berth logs \[options\] <container>$/m);
    expect(page).toMatch(/^\.SS berth images$/m);
    // A line that begins with a dot is a request, and these are all that are meant.
    expect([...page.matchAll(/^[.'].*$/gm)].filter(([line]) => !/^\.(TH|SH|SS|TP|B|I|BR)\b/.test(line))).toEqual([]);
  });

  test('a second installation removes what the first had and leaves the settings alone', () => {
    execFileSync('sh', ['-c', 'touch "$1/opt/berth/lib/berth/src/old.ts"; echo "# mine" >>"$1/etc/berth/config.toml"', 'sh', destination]);
    run('scripts/install.sh', '/opt/berth', destination);
    expect(globSync('opt/berth/lib/berth/src/old.ts', { cwd: destination })).toEqual([]);
    expect(readFileSync(installed('etc/berth/config.toml'), 'utf8')).toMatch(/# mine\n$/);
    expect(statSync(installed('etc/berth/config.toml')).mode & 0o777).toBe(0o600);
  });

  test('a prefix that is no absolute path is refused', () => {
    expect(() => execFileSync('scripts/install.sh', ['usr', destination], { cwd: checkout, stdio: 'pipe' })).toThrow(/PREFIX must be an absolute path/);
  });
});

describe('make deb', () => {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { readonly version: string };

  test('the package has what make install installs, owned by root, and asks for what runs it', () => {
    const file = run('scripts/deb.sh').trim();
    expect(file).toBe(`build/berth_${version}_${run('dpkg', '--print-architecture').trim()}.deb`);
    const entries = run('dpkg-deb', '--contents', file).trim().split('\n');
    expect(new Set(entries.map((line) => line.split(/\s+/)[1]))).toEqual(new Set(['root/root']));
    const paths = entries.filter((line) => line.startsWith('-')).map((line) => line.replace(/^(?:\S+\s+){5}\./, ''));
    const own = globSync('opt/berth/**/*', { cwd: destination, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(installed('opt/berth').length));
    expect(own.filter((path) => !paths.includes(`/usr${path}`))).toEqual([]);
    expect(paths).toContain('/etc/berth/config.toml');
    expect(run('dpkg-deb', '--field', file, 'Depends')).toMatch(/libatomic1.*crun.*containernetworking-plugins.*iptables/);
    expect(run('dpkg-deb', '--info', file, 'conffiles')).toBe('/etc/berth/config.toml\n');
  }, 180_000);

  test.each(['postinst', 'prerm', 'postrm'])('%s is a script that sh takes', (script) => {
    run('sh', '-n', join('deploy/debian', script));
  });
});
