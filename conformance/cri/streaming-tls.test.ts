/** Streams over TLS, as kubectl's own client code speaks it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../fixtures/tls.ts';
import { buildPeers, whyNotBuildable } from '../peers/build.ts';
import { StreamingClient } from '../streaming/streaming-client.ts';
import { CriSuite, waiting } from './suite.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping streams over TLS: ${unbuildable}`);

const output = { stdout: true, stderr: true };

describe.skipIf(unbuildable !== undefined)('streams over TLS', () => {
  let suite: CriSuite;
  let directory: string;
  let authority: CertificateAuthority;
  beforeAll(async () => {
    await buildPeers(['streaming-client']);
    directory = mkdtempSync(join(tmpdir(), 'berth-streaming-'));
    authority = new CertificateAuthority(directory);
    const { cert, key } = authority.issue('server');
    suite = await CriSuite.start({ streaming: { tls_cert: cert, tls_key: key, client_ca: authority.ca.cert } });
  }, 900_000);
  afterAll(async () => {
    await suite?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a client with a certificate is served over both transports, one without is not', async () => {
    const pod = await suite.pod();
    const id = await suite.run(pod, [...waiting]);
    const urlOf = async (): Promise<string> => (await suite.cri.call<{ readonly url: string }>('Exec', { container_id: id, cmd: ['echo', 'safe'], ...output })).url;
    const { cert, key } = authority.issue('client');
    for (const transport of ['spdy', 'websocket'] as const) {
      const url = await urlOf();
      expect(url).toMatch(/^https:\/\/127\.0\.0\.1:/);
      const stranger = await new StreamingClient(url, { transport, streams: output, flags: [`-ca=${authority.ca.cert}`] }).result;
      expect([stranger.stdout, stranger.code]).toEqual(['', 200]);
      expect(await new StreamingClient(url, { transport, streams: output, flags: [`-ca=${authority.ca.cert}`, `-cert=${cert}`, `-key=${key}`] }).result).toEqual({ stdout: 'safe\n', stderr: '', code: 0 });
    }
  });
});
