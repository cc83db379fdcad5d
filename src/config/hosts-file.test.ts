import { expect, test } from 'vitest';
import { certificateFiles, parseHostsFile } from './hosts-file.ts';

const file = '/etc/berth/certs.d/registry.example/hosts.toml';
const read = (source: string) => parseHostsFile(source, file);

test('every key, for the server and for hosts in their order', () => {
  const { hosts, server } = read(`
server = "https://registry.example/prefix"
capabilities = ["pull", "resolve", "push"]
[header]
x-one = "1"
X-Two = ["a", "b"]
[host."http://10.0.0.1:5000"]
capabilities = ["pull"]
skip_verify = true
[host."mirror.example"]
ca = "mirror.crt"
client = [["a.cert", "a.key"], ["b.pem", ""]]
override_path = true
dial_timeout = "1m30s"
proxy = "http://proxy.example:3128"
`);
  expect(server).toMatchObject({ url: new URL('https://registry.example/prefix'), fields: { header: { 'x-one': '1', 'x-two': 'a, b' }, ca: [] } });
  expect(hosts.map(({ url }) => url.href)).toEqual(['http://10.0.0.1:5000/', 'https://mirror.example/']);
  expect(hosts[0]?.fields).toMatchObject({ capabilities: ['pull'], skipVerify: true, dialTimeout: 0, proxy: '' });
  expect(hosts[1]?.fields).toMatchObject({
    capabilities: [],
    ca: ['/etc/berth/certs.d/registry.example/mirror.crt'],
    client: [{ cert: '/etc/berth/certs.d/registry.example/a.cert', key: '/etc/berth/certs.d/registry.example/a.key' }, { cert: '/etc/berth/certs.d/registry.example/b.pem', key: '' }],
    overridePath: true,
    dialTimeout: 90_000,
    proxy: 'http://proxy.example:3128/',
  });
});

test('authorities and client certificates are one path or several', () => {
  expect(read('ca = "/a.crt"\nclient = "/c.pem"').server.fields).toMatchObject({ ca: ['/a.crt'], client: [{ cert: '/c.pem', key: '' }] });
  expect(read('ca = ["/a.crt", "/b.crt"]\nclient = ["/c.pem", "/d.pem"]').server.fields).toMatchObject({ ca: ['/a.crt', '/b.crt'], client: [{ cert: '/c.pem' }, { cert: '/d.pem' }] });
});

test('an empty file says nothing', () => {
  expect(read('')).toMatchObject({ hosts: [], server: { url: undefined, fields: { capabilities: [], ca: [], client: [], skipVerify: false } } });
});

test.each([
  ['servr = "x"', 'unknown key "servr"'],
  ['server = "ftp://x"', 'server in'],
  ['server = "https://user:pw@x"', 'server in'],
  ['[host."https://x?y"]', 'host."https://x?y" in'],
  ['[host."https://x"]\nskip_verfy = true', 'unknown key "host.https://x.skip_verfy"'],
  ['[host."https://x"]\ncapabilities = ["fly"]', 'host.https://x.capabilities[0] in'],
  ['ca = 5', 'ca in'],
  ['ca = ""', 'ca in'],
  ['client = [["a"]]', 'client in'],
  ['dial_timeout = "5 parsecs"', 'dial_timeout in'],
  ['dial_timeout = "0s"', 'dial_timeout in'],
  ['proxy = "proxy.example:3128"', 'proxy in'],
  ['[header]\n"bad name" = "x"', 'header.bad name in'],
  ['[header]\nx = "two\\nlines"', 'header.x in'],
  ['ca = [', `${file}:1:`],
])('%j is refused by the name of key and file', (source, words) => {
  expect(() => read(source)).toThrow(expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(words) as unknown }));
  expect(() => read(source)).toThrow(file);
});

test('a password in an address is not told', () => {
  for (const source of ['[host."https://user:pw@x"]', '[host."user:pw@x"]\nca = 5', '[host."https://user:p@w@x"]']) {
    expect(() => read(source)).toThrow(expect.objectContaining({ message: expect.stringMatching(/^host\."(https:\/\/)?…@x" in /) as unknown }));
  }
});

test('certificates by their endings, as Docker has them', () => {
  expect(certificateFiles('/d', ['ca.crt', 'client.cert', 'client.key', 'note.txt']).server).toMatchObject({ url: undefined, fields: { ca: ['/d/ca.crt'], client: [{ cert: '/d/client.cert', key: '/d/client.key' }] } });
});
