import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig, parseConfig } from './load-config.ts';
import { schema } from './schema.ts';

const privateFile = () => ({ mode: 0o100600, uid: 0 });
const read = (source: string) => parseConfig(source, '/etc/berth/config.toml', privateFile);

test('an empty file gives the defaults, with both runtimes', () => {
  const config = read('');
  expect(config).toMatchObject({ stateRoot: '/var/lib/berth', cri: { socket: '/run/berth/berth.sock', mode: 0o660 }, images: { progressTimeout: 300_000 } });
  expect(Object.keys(config.runtimes)).toEqual(['crun', 'runc']);
  expect(config.runtimes['runc']).toMatchObject({ runtime: '/usr/bin/runc', protocol: 'berth', systemdCgroup: undefined });
});

test('the configuration is frozen at every level', () => {
  const config = read('[registries."r"]\nmirrors = ["m"]');
  expect([config, config.cri, config.runtimes, config.registries['r']].every((part) => Object.isFrozen(part))).toBe(true);
});

test('a runtime of the file is merged over the preset one and others may be added', () => {
  const config = read('default_runtime = "kata"\n[runtimes.crun]\nsystemd_cgroup = true\n[runtimes.kata]\nshim = "/opt/shim"\nprotocol = "containerd"');
  expect(config.runtimes['crun']).toMatchObject({ runtime: '/usr/bin/crun', systemdCgroup: true });
  expect(config.runtimes['kata']).toMatchObject({ shim: '/opt/shim', runtime: '', protocol: 'containerd' });
});

test.each([
  ['stat_root = "/x"', 'unknown key "stat_root" in /etc/berth/config.toml', 'did you mean "state_root"?'],
  ['[cri]\nsokcet = "/x"', 'unknown key "cri.sokcet" in /etc/berth/config.toml', 'did you mean "socket"?'],
  ['[registries."a.b:5000"]\nmirror = []', 'unknown key "registries.a.b:5000.mirror" in /etc/berth/config.toml', 'did you mean "mirrors"?'],
  ['[registries.docker.io]\ninsecure = true', 'unknown key "registries.docker.io" in /etc/berth/config.toml', 'a name with a dot wants quotes: [registries."docker.io"]'],
  ['[registries.r.example.com]', 'unknown key "registries.r.example" in /etc/berth/config.toml', 'a name with a dot wants quotes: [registries."r.example"]'],
  ['[log]\nzzzzzzzz = 1', 'unknown key "log.zzzzzzzz" in /etc/berth/config.toml', 'known keys here: level, format'],
])('%j is refused with a hint', (source, message, hint) => {
  expect(() => read(source)).toThrow(expect.objectContaining({ kind: 'invalid', message, hint }));
});

test.each([
  ['state_root = 5', 'state_root in /etc/berth/config.toml must be an absolute path, not the number 5'],
  ['state_root = "var"', 'state_root in /etc/berth/config.toml must be an absolute path, not this string'],
  ['[log]\nlevel = "loud"', 'log.level in /etc/berth/config.toml must be one of "trace", "debug", "info", "warn", "error", not this string'],
  ['[limits]\nstart_concurrency = -1', 'limits.start_concurrency in /etc/berth/config.toml must be a whole number from 0 to 1024, not the number -1'],
  ['[limits]\ndrain_timeout = 30', 'limits.drain_timeout in /etc/berth/config.toml must be a duration such as "500ms", "30s" or "5m", not the number 30'],
  ['[cri]\nmode = "rw"', 'cri.mode in /etc/berth/config.toml must be an octal mode such as "0660", not this string'],
  ['[cni]\nbin_dirs = ["/a", 1]', 'cni.bin_dirs[1] in /etc/berth/config.toml must be an absolute path, not the number 1'],
  ['[tracing]\nsampling = 2.0', 'tracing.sampling in /etc/berth/config.toml must be a number from 0 to 1, not the number 2'],
  ['cri = "x"', 'cri in /etc/berth/config.toml must be a table, not this string'],
  ['[streaming]\ntls_key = "/k"', '[streaming] in /etc/berth/config.toml has only one of tls_cert and tls_key'],
  ['[streaming]\nclient_ca = "/c"', '[streaming] client_ca in /etc/berth/config.toml needs tls_cert and tls_key'],
  ...['9464', '127.0.0.1', '127.0.0.1:99999', 'metrics.sock', 'http://127.0.0.1:1'].map((place) => [
    `[metrics]\nlisten = "${place}"`,
    'metrics.listen in /etc/berth/config.toml must be host:port such as "127.0.0.1:9464", the absolute path of a unix socket, or empty, not this string',
  ]),
  ...['0.0.0.0', ':10010', '/run/s.sock'].map((place) => [`[streaming]\naddress = "${place}"`, 'streaming.address in /etc/berth/config.toml must be host:port such as "127.0.0.1:0", not this string']),
  ['[tracing]\nendpoint = "127.0.0.1:4317"', 'tracing.endpoint in /etc/berth/config.toml must be an address such as "http://127.0.0.1:4317", or empty, not this string'],
  ['[images]\npinned = ["busybox", "ALPINE:"]', 'images.pinned[1] in /etc/berth/config.toml: image reference "ALPINE:" has a malformed name'],
  ...['https://docker.io', 'docker.io/', 'docker.io/Library', '/library'].map((prefix) => [
    `[images]\ndefault_registry = "${prefix}"`,
    'images.default_registry in /etc/berth/config.toml must be host[/namespace] without a scheme, such as "docker.io/library", or empty, not this string',
  ]),
  ['[registries."https://r:5055"]', 'registries."https://r:5055" in /etc/berth/config.toml must be named host[:port] without a scheme, such as "mirror.example:5000"'],
  ['[registries.r]\nserver = "http://r:5055"', 'registries.r.server in /etc/berth/config.toml must be host[:port] without a scheme, such as "mirror.example:5000", not this string'],
  ['[registries.r]\nmirrors = ["m", "http://m"]', 'registries.r.mirrors[1] in /etc/berth/config.toml must be host[:port] without a scheme, such as "mirror.example:5000", not this string'],
  ['[registries.r]\nmirrors = [""]', 'registries.r.mirrors[0] in /etc/berth/config.toml must be host[:port] without a scheme, such as "mirror.example:5000", not this string'],
  ['[registries.r]\nclient_key = "/k"', '[registries."r"] in /etc/berth/config.toml has client_key without client_cert'],
  ['[runtimes."a/b"]', 'runtimes."a/b" in /etc/berth/config.toml must be named with letters, digits, ".", "_" and "-"'],
  ['run_root = "/r"\n[cri]\nsocket = "/r/debug.sock"', "[cri] socket in /etc/berth/config.toml is where berthd's own debug.sock is, /r/debug.sock"],
  ['[cri]\nsocket = "/s"\n[nri]\nsocket = "/s"', '[nri] socket in /etc/berth/config.toml is where [cri] socket is, /s'],
  ['[streaming]\naddress = "127.0.0.1:9464"', '[metrics] listen in /etc/berth/config.toml is where [streaming] address is, 127.0.0.1:9464'],
  ['[registries.r]\n[registries.R]', 'registries."r" in /etc/berth/config.toml is there twice'],
  ['state_root = "/x"\nrun_root = "/x/"', 'state_root and run_root in /etc/berth/config.toml are the same directory, /x'],
  ['default_runtime = "kata"', 'default_runtime "kata" in /etc/berth/config.toml is not configured'],
])('%j is refused: %s', (source, message) => {
  expect(() => read(source)).toThrow(expect.objectContaining({ kind: 'invalid', message }));
});

test('paths that no socket can have are refused before anything starts', () => {
  const deep = `/${'d'.repeat(100)}`;
  expect(() => read(`run_root = "${deep}"`)).toThrow(expect.objectContaining({ kind: 'invalid', hint: 'shorten [cri] socket in /etc/berth/config.toml' }));
  expect(() => read(`run_root = "${deep}"\n[cri]\nsocket = "/s"`)).toThrow(expect.objectContaining({ kind: 'invalid', hint: 'shorten run_root in /etc/berth/config.toml' }));
  expect(read(`run_root = "/${'d'.repeat(94)}"`).cri.socket).toHaveLength(106);
  expect(() => read(`[nri]\nsocket = "${deep}/nri.sock"`)).toThrow(expect.objectContaining({ kind: 'invalid', hint: 'shorten [nri] socket in /etc/berth/config.toml' }));
  expect(read('run_root = "/r"').nri.socket).toBe('/r/nri.sock');
});

test('a syntax error names the line and does not quote it', () => {
  const source = '[registries.r]\npassword = "hunter2" x\n';
  expect(() => read(source)).toThrow(/^\/etc\/berth\/config\.toml:2:\d+: /);
  expect(() => read(source)).not.toThrow(/hunter2/);
});

test('a name that wants quotes is told so', () => {
  expect(() => read('[registries.r:5000]\n')).toThrow(expect.objectContaining({ hint: expect.stringContaining('wants quotes') }));
});

test('the name of a registry is the same in either case', () => {
  expect(Object.keys(read('[registries."R.Example:5000"]').registries)).toEqual(['r.example:5000']);
});

test.each(['', ':9464', '/run/metrics.sock', '[::1]:9464', 'localhost:0'])('metrics may be served at %j', (place) => {
  expect(read(`[metrics]\nlisten = "${place}"`).metrics.listen).toBe(place);
});

test('durations and modes are read in their units', () => {
  expect(read('[limits]\ndrain_timeout = "1.5m"\n[cri]\nmode = "0600"')).toMatchObject({ limits: { drainTimeout: 90_000 }, cri: { mode: 0o600 } });
});

const withPassword = '[registries."r"]\nusername = "u"\npassword = "hunter2"';

test('a password does not show in JSON, inspection or text', () => {
  const config = read(withPassword);
  const shown = `${JSON.stringify(config)}${inspect(config, { depth: 9 })}${String(config.registries['r']?.password)}`;
  expect(shown).not.toContain('hunter2');
  expect(config.registries['r']?.password.reveal()).toBe('hunter2');
});

test('a password that is a number is refused without showing it', () => {
  expect(() => read('[registries."r"]\npassword = 31337')).toThrow('registries.r.password in /etc/berth/config.toml must be a string');
});

test.each([
  [{ mode: 0o100640, uid: 0 }, 'mode 0640'],
  [{ mode: 0o100600, uid: 12_345 }, 'owner 12345'],
])('a file with a password that others may read is refused: %j', (stat, detail) => {
  expect(() => parseConfig(withPassword, '/c.toml', () => stat)).toThrow(detail);
  expect(() => parseConfig('', '/c.toml', () => stat)).not.toThrow();
});

test('every key is documented, commented out with its default, and nothing else is', () => {
  const lines = readFileSync(join(import.meta.dirname, '../../deploy/systemd/config.toml'), 'utf8').split('\n');
  let table = '';
  const documented = lines.flatMap((line) => {
    const header = /^\[(.*)\]$/.exec(line)?.[1];
    if (header !== undefined) table = `${header.replace(/^(runtimes|registries)\..*/, '$1.*')}.`;
    const key = /^#(\w+) = /.exec(line)?.[1];
    return key === undefined ? [] : [`${table}${key}`];
  });
  expect([...new Set(documented)].toSorted()).toEqual([...schema.keys()].toSorted());
});

test('the documented values are the defaults', () => {
  const source = readFileSync(join(import.meta.dirname, '../../deploy/systemd/config.toml'), 'utf8');
  const uncommented = source.replaceAll(/^#(\w+ = .*)$/gm, '$1');
  const { registries, runtimes, agent, shim, ...rest } = read(uncommented);
  const { registries: _none, runtimes: presets, agent: _agent, shim: _shim, ...defaults } = read('');
  expect(rest).toEqual(defaults);
  expect(agent.path + agent.pausePath + shim.path).toMatch(/^(\/usr\/libexec\/berth\/berth-\w+){3}$/);
  expect(runtimes).toEqual({ ...presets, crun: { ...presets['crun'], systemdCgroup: false } });
  expect(registries).toEqual(read('[registries."registry.example.com"]').registries);
});

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-config-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

test('a file is read from disk, and one that is absent is named', () => {
  const file = join(scratch, 'config.toml');
  writeFileSync(file, 'run_root = "/run/other/"');
  expect(loadConfig(file)).toMatchObject({ runRoot: '/run/other', cri: { socket: '/run/other/berth.sock' } });
  expect(() => loadConfig(join(scratch, 'none.toml'))).toThrow(`cannot read the configuration ${scratch}/none.toml`);
});

/** A file whose settings name things of this machine. */
function load(source: string): () => unknown {
  const file = join(scratch, 'config.toml');
  writeFileSync(file, source, { mode: 0o600 });
  return () => loadConfig(file);
}

test.each([
  ['[cri]\ngroup = "nosuchgroup"', '[cri] group in FILE: "nosuchgroup" is not in /etc/group'],
  ['[streaming]\ntls_cert = "/no.crt"\ntls_key = "/no.key"', '[streaming] tls_cert in FILE cannot be used: ENOENT: no such file or directory, open \'/no.crt\''],
  ['[cgroup]\ndriver = "systemd"\nparent = "/kubepods"', '[cgroup] parent "/kubepods" in FILE cannot be used: the systemd cgroup driver wants the name of a slice, such as kubepods-burstable.slice'],
  ['[cgroup]\ndriver = "cgroupfs"\nparent = "kube.slice"', '[cgroup] parent "kube.slice" in FILE cannot be used: it is a slice of systemd, and the cgroup driver is cgroupfs, which wants a path such as /kubepods/burstable'],
  ['[agent]\npath = "/nonexist"', '[agent] path in FILE names /nonexist, which is no program'],
  ['[agent]\npause_path = "/etc"', '[agent] pause_path in FILE names /etc, which is no program'],
  ['[shim]\npath = "/etc/passwd"', '[shim] path in FILE names /etc/passwd, which is no program'],
  ['[registries.r]\nca = "/no.pem"', '[registries."r"] ca in FILE cannot be used: ENOENT: no such file or directory, open \'/no.pem\''],
  ['[registries.r]\nclient_cert = "/no.pem"', '[registries."r"] client_cert in FILE cannot be used: ENOENT: no such file or directory, open \'/no.pem\''],
  ['state_root = "/etc/passwd"', 'state_root in FILE: /etc/passwd cannot be a directory of berthd\'s, for /etc/passwd is no directory'],
  ['[cri]\ngroup = "99999999999"', '[cri] group in FILE: "99999999999" is not in /etc/group'],
  ['[cri]\nsocket = "/etc"', '[cri] socket in FILE: /etc is a directory'],
  ['run_root = "/proc/foo"', 'run_root in FILE: /proc/foo cannot be a directory of berthd\'s, for /proc is the kernel\'s own'],
  ['[cri]\nsocket = "/etc/passwd/b.sock"', '[cri] socket in FILE: /etc/passwd cannot be a directory of berthd\'s, for /etc/passwd is no directory'],
  ['[nri]\nsocket = "/sys/foo/n.sock"', '[nri] socket in FILE: /sys/foo cannot be a directory of berthd\'s, for /sys is the kernel\'s own'],
])('%j names what this machine has not: %s', (source, message) => {
  expect(load(source)).toThrow(expect.objectContaining({ kind: 'invalid', message: message.replaceAll('FILE', join(scratch, 'config.toml')) }));
});

test('what is there, or can be made, passes', () => {
  expect(load(`state_root = "${scratch}/a/b"\n[cri]\ngroup = "root"\n[cgroup]\ndriver = "cgroupfs"\nparent = "/mine"\n[shim]\npath = "${process.execPath}"`)).not.toThrow();
});
