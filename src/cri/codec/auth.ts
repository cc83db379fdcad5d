import { BerthError } from '../../lib/errors.ts';
import type { RegistryAuth } from '../../images/port.ts';
import type { AuthConfig } from '../messages/image.ts';

/** `auth` is base64 of "user:password"; some clients pad it with NUL bytes. The separate fields go before it. */
export function decodeAuth(message: AuthConfig | null): RegistryAuth | undefined {
  if (message === null) return undefined;
  const { identityToken, registryToken, serverAddress } = message;
  const { username, password } = message.username === '' && message.auth !== '' ? splitAuth(message.auth) : message;
  if (username === '' && password === '' && identityToken === '' && registryToken === '') return undefined;
  return { username, password, identityToken, registryToken, serverAddress };
}

function splitAuth(auth: string): { readonly username: string; readonly password: string } {
  const plain = Buffer.from(auth, 'base64').toString('utf8').replaceAll('\0', '');
  const colon = plain.indexOf(':');
  if (colon < 0) throw new BerthError('invalid', 'auth.auth must be base64 of "user:password"');
  return { username: plain.slice(0, colon), password: plain.slice(colon + 1) };
}
