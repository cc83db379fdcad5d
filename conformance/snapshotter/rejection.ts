import { expect } from 'vitest';
import { isKind, type ErrorKind } from '../../src/lib/errors.ts';

/** What the promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => 'no error', (error: unknown) => error);
}

export async function expectKind(promise: Promise<unknown>, kind: ErrorKind): Promise<void> {
  const error = await rejection(promise);
  expect(isKind(error, kind), String(error)).toBe(true);
}
