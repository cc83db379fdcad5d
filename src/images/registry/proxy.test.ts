import { expect, test } from 'vitest';
import { proxyFor } from './proxy.ts';

const environment = { HTTPS_PROXY: 'http://secure.example:1', http_proxy: 'plain.example:2', NO_PROXY: ' 10.0.0.0/8, .internal ,host.example:5000,fd00::/8,192.0.2.7,port.example:443 ' };
const proxy = (url: string, over: Readonly<Record<string, string>> = {}): string => proxyFor(new URL(url), { ...environment, ...over });

test('the scheme chooses, in capital or small letters', () => {
  expect(proxy('https://registry.example/v2')).toBe('http://secure.example:1');
  expect(proxy('http://registry.example/v2')).toBe('http://plain.example:2');
  expect(proxyFor(new URL('https://registry.example'), {})).toBe('');
});

test.each(['https://10.1.2.3', 'https://a.internal:5000', 'https://host.example:5000', 'https://[fd00::1]:5000', 'https://192.0.2.7', 'https://port.example', 'https://localhost:5000', 'http://127.0.0.2:5000', 'https://[::1]'])('%s is reached directly', (url) => {
  expect(proxy(url)).toBe('');
});

test.each(['https://11.1.2.3', 'https://ainternal', 'https://host.example', 'https://host.example:5001', 'https://[fe80::1]', 'https://192.0.2.70', 'https://port.example:444'])('%s is not', (url) => {
  expect(proxy(url)).toBe('http://secure.example:1');
});

test('a star means everything', () => {
  expect(proxy('https://registry.example', { NO_PROXY: '*' })).toBe('');
});
