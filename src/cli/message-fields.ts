import type { Message } from './cri-client.ts';

/** A field of a decoded message that is a list of messages. */
export function items(message: Message, name: string): readonly Message[] {
  const value = message[name];
  return Array.isArray(value) ? (value as readonly Message[]) : [];
}

/** A nested message; an absent one is empty. */
export function nested(message: Message, name: string): Message {
  const value = message[name];
  return typeof value === 'object' && value !== null ? (value as Message) : {};
}

export function field(message: Message, name: string): string {
  const value = message[name];
  return value === undefined || value === null ? '' : String(value);
}

export function strings(message: Message, name: string): readonly string[] {
  const value = message[name];
  return Array.isArray(value) ? value.map(String) : [];
}
