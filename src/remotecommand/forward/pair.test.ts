import { Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import { createLogger } from '../../telemetry/log.ts';
import { forwardPair } from './pair.ts';

const log = createLogger({ level: 'error', format: 'json' }, () => undefined);
const { signal } = new AbortController();

/** A client's two streams, and its own ends of them. */
function client(): { readonly pair: { readonly port: number; readonly data: Duplex; readonly error: Duplex }; readonly data: Duplex; readonly told: Promise<string> } {
  const [data, theirData] = duplexPair();
  const [error, theirError] = duplexPair();
  for (const stream of [data, theirData]) stream.on('error', () => undefined);
  return { pair: { port: 80, data, error }, data: theirData, told: text(theirError) };
}

/** A program in the pod that hangs up on what it is told. */
const rude = (): Duplex => new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => { setTimeout(done, 20, new Error('EPIPE')); } });

test.each(['has said all', 'is still speaking'])('a program that hangs up on a client that %s costs it that connection, and nothing is complained of', async (how) => {
  const { pair, data, told } = client();
  data.write('upload');
  if (how === 'has said all') data.end();
  await forwardPair(pair, async () => Promise.resolve(rude()), signal, log);
  expect(await told).toBe('');
  expect(pair.data.destroyed).toBe(true);
});

test('a client that gives up a connection while it is being made is told nothing, which would cost it all its ports', async () => {
  const { pair, told } = client();
  const forwarded = forwardPair(pair, async (_port, left) => new Promise((_resolve, reject) => { left.addEventListener('abort', () => { reject(left.reason as Error); }); }), signal, log);
  pair.data.destroy();
  await forwarded;
  expect(await told).toBe('');
});

test('a connection that cannot be made is told of', async () => {
  const { pair, told } = client();
  await forwardPair(pair, async () => Promise.reject(new BerthError('precondition', 'nothing listens')), signal, log);
  expect(await told).toBe('error forwarding port 80: nothing listens');
  expect(pair.data.destroyed).toBe(true);
});
