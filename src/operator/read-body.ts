import type { IncomingMessage } from 'node:http';
import { BerthError } from '../lib/errors.ts';
import { parseJsonObject, type JsonObject } from '../lib/json-fields.ts';

const maxBodyBytes = 1 << 20;

/** The JSON object that a request carries. */
export async function readBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new BerthError('invalid', `the request body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return parseJsonObject(Buffer.concat(chunks), 'the request body');
}
