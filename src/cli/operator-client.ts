import { request } from 'node:http';
import { unreachable } from './unreachable.ts';

/** Berth's own local API, JSON over HTTP on a unix socket beside the CRI one. */
export class OperatorClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async get(path: string): Promise<unknown> {
    const lines = await this.#send('GET', path, undefined, () => undefined);
    return JSON.parse(lines);
  }

  /** Posts JSON; each line of an NDJSON answer goes to `onLine` as it arrives. Returns the last one. */
  async post(path: string, body: object, onLine: (message: unknown) => void = () => undefined): Promise<unknown> {
    const text = await this.#send('POST', path, JSON.stringify(body), onLine);
    return JSON.parse(text.trim().split('\n').at(-1) ?? 'null');
  }

  async #send(method: string, path: string, body: string | undefined, onLine: (message: unknown) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.#socketPath, method, path, headers: { 'content-type': 'application/json' } }, (incoming) => {
        let text = '';
        let seen = 0;
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          text += chunk;
          for (let end = text.indexOf('\n', seen); end >= 0; end = text.indexOf('\n', seen)) {
            if (end > seen) onLine(JSON.parse(text.slice(seen, end)));
            seen = end + 1;
          }
        });
        incoming.on('end', () => {
          if ((incoming.statusCode ?? 500) < 300) resolve(text);
          else reject(new Error(errorText(text)));
        });
        incoming.on('error', reject);
      });
      outgoing.on('error', (cause) => {
        reject(unreachable(this.#socketPath, cause));
      });
      outgoing.end(body);
    });
  }
}

function errorText(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) return String(parsed.error);
  } catch {
    // Not JSON: the text itself is the best there is.
  }
  return body.trim();
}
