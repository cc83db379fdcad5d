import { BerthError } from '../../lib/errors.ts';
import { maxId } from '../../oci/runtime-spec/user.ts';

/** The name that an enum number stands for; a number outside the contract fails `invalid`. */
export function pick<Name>(names: readonly Name[], number: number, field: string): Name {
  const name = names[number];
  if (name === undefined) throw new BerthError('invalid', `${field} has the unknown value ${number}`);
  return name;
}

/** A message that must be there. */
export function required<Message>(message: Message | null, field: string): Message {
  if (message === null) throw new BerthError('invalid', `${field} is missing`);
  return message;
}

/** A string that must not be empty. */
export function nonEmpty(value: string, field: string): string {
  if (value === '') throw new BerthError('invalid', `${field} is empty`);
  return value;
}

/** A user or group id. */
export function userId(value: bigint, field: string): number {
  if (value < 0n || value > maxId) throw new BerthError('invalid', `${field} must be from 0 to ${maxId}, not ${value}`);
  return Number(value);
}
