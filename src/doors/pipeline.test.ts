import { beforeEach, expect, test } from 'vitest';
import { BerthError, messageOf } from '../lib/errors.ts';
import { createLogger } from '../telemetry/log.ts';
import { throughPipeline, type Pipeline, type Protocol } from './pipeline.ts';
import { ReadyGate } from './ready-gate.ts';

/** A protocol that speaks in HTTP's numbers. */
const numbersOf = (error: unknown): number => (error instanceof BerthError ? ({ 'not-found': 404, unavailable: 503 } as Record<string, number>)[error.kind] ?? 400 : 500);
const http: Protocol<Error> = {
  success: { code: '200', fault: false, attributes: {} },
  outcomeOf: (error) => ({ code: String(numbersOf(error)), fault: numbersOf(error) >= 500, attributes: {} }),
  failureOf: (error, method) => new Error(`${numbersOf(error)} ${error instanceof BerthError ? error.text : `${method} failed`}`),
};

let gate: ReadyGate;
let measured: string[];
let logged: { readonly level: string }[];
let pipeline: Pipeline;

beforeEach(() => {
  gate = new ReadyGate();
  measured = [];
  logged = [];
  const log = createLogger({ level: 'debug', format: 'json' }, (line) => { logged.push(JSON.parse(line)); });
  pipeline = { gate, metrics: { rpcEnded: (method, code) => { measured.push(`${method} ${code}`); } }, log, protocol: http };
});

async function call(work: () => Promise<string>): Promise<string> {
  return throughPipeline(pipeline, { method: 'Do', span: { name: 'Do', attributes: {}, headers: {} } }, work).catch((error: unknown) => messageOf(error));
}

test('no work is begun while the gate is closed', async () => {
  let begun = false;
  const work = async (): Promise<string> => {
    begun = true;
    return 'done';
  };
  await expect(call(work)).resolves.toBe('503 berthd is still recovering its state; try again in a moment');
  expect(begun).toBe(false);
  gate.open();
  await expect(call(work)).resolves.toBe('done');
  expect(measured).toEqual(['Do 503', 'Do 200']);
});

test.each([
  { error: new BerthError('not-found', 'no such thing'), seen: '404 no such thing', level: 'debug' },
  { error: new BerthError('invalid', 'not so', { hint: 'but so' }), seen: '400 not so; but so', level: 'info' },
  { error: new TypeError('secret'), seen: '500 Do failed', level: 'error' },
])('a failure is measured and shown in the words of the protocol: $seen', async ({ error, seen, level }) => {
  gate.open();
  await expect(call(() => Promise.reject(error))).resolves.toBe(seen);
  expect(measured).toEqual([`Do ${seen.slice(0, 3)}`]);
  expect(logged.map((line) => line.level)).toEqual([level]);
});
