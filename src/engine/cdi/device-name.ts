import { BerthError } from '../../lib/errors.ts';

/** `vendor.example/class=name`, the only form in which CDI devices are asked for. */
export interface CdiDeviceName {
  readonly kind: string;
  readonly name: string;
}

const kindPattern = /^[A-Za-z](?:[\w.-]*[A-Za-z0-9])?\/[A-Za-z](?:[\w-]*[A-Za-z0-9])?$/;
const namePattern = /^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/;

export const isKind = (text: string): boolean => kindPattern.test(text);
export const isName = (text: string): boolean => namePattern.test(text);

/** Fails `invalid` on anything but a fully qualified name. */
export function parseDeviceName(text: string): CdiDeviceName {
  const at = text.indexOf('=');
  const [kind, name] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
  if (isKind(kind) && isName(name)) return { kind, name };
  throw new BerthError('invalid', `"${text}" is no name of a CDI device`, { hint: 'write it as vendor.example/class=name' });
}
