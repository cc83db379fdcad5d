import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { terminalSizes } from './terminal-sizes.ts';

const read = async (...chunks: readonly string[]): Promise<readonly string[]> => {
  const sizes: string[] = [];
  for await (const { columns, rows } of terminalSizes(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) sizes.push(`${columns}x${rows}`);
  return sizes;
};

test('sizes are read however they are cut', async () => {
  expect(await read('{"Width":80,"Height":24}\n')).toEqual(['80x24']);
  expect(await read('{"Width":1,"Height":2}{"Wid', 'th":3,"Height":4}\n\n{"Height":6,"Width":5}')).toEqual(['1x2', '3x4', '5x6']);
});

test.each(['null}', '{"Width":80}', '{"Width":-1,"Height":2}', '{"Width":65536,"Height":2}', '{"Width":"80","Height":24}', '}', 'x'.repeat(2000)])('%j ends the reading', async (text) => {
  expect(await read(text, '{"Width":1,"Height":2}')).toEqual([]);
});
