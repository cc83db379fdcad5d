import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { BerthError, messageOf } from '../lib/errors.ts';

/** PEM files; all empty: plain HTTP. */
export interface StreamingTls {
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** Authorities whose certificates clients must show. */
  readonly clientCa: string;
}

/** Whoever set one of them counts on TLS. `origin` is ` in FILE` where there is one. Fails `invalid`. */
export function requireWholeTls({ tlsCert, tlsKey, clientCa }: StreamingTls, origin = ''): void {
  if ((tlsCert === '') !== (tlsKey === '')) throw new BerthError('invalid', `[streaming]${origin} has only one of tls_cert and tls_key`, { hint: 'set both, or none for plain HTTP' });
  if (clientCa !== '' && tlsCert === '') throw new BerthError('invalid', `[streaming] client_ca${origin} needs tls_cert and tls_key`);
}

/** What the certificates' files say now; undefined without TLS. Fails `invalid`, as above. */
export function readStreamingTls(files: StreamingTls, origin = ''): SecureContextOptions | undefined {
  requireWholeTls(files, origin);
  const { tlsCert, tlsKey, clientCa } = files;
  if (tlsCert === '') return undefined;
  const read = (path: string, key: string): Buffer => readPem(path, `[streaming] ${key}${origin}`);
  const options: SecureContextOptions = { cert: read(tlsCert, 'tls_cert'), key: read(tlsKey, 'tls_key'), minVersion: 'TLSv1.2', ...(clientCa === '' ? {} : { ca: read(clientCa, 'client_ca') }) };
  try {
    createSecureContext(options);
    return options;
  } catch (cause) {
    throw new BerthError('invalid', `${tlsCert} and ${tlsKey} are no certificate and key that belong together`, { hint: `see tls_cert and tls_key of [streaming]${origin}`, cause });
  }
}

/** A file that a setting names. Fails `invalid` with the setting and the file. */
export function readPem(path: string, setting: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new BerthError('invalid', `${setting} cannot be used: ${messageOf(cause)}`, { cause });
  }
}
