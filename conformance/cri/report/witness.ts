/**
 * Set-up of the conformance suites: with BERTH_CRI_EVIDENCE naming a directory, notes there which RPCs and fields each file
 * used. Without it, it does nothing.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { relative } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect } from 'vitest';
import type { CriCall } from '../../fixtures/cri.ts';
import { fieldsSet, loadRpcs, type Rpc } from './contract.ts';
import { type Evidence, noEvidence, saveEvidence, withOutcome, withUse } from './evidence.ts';

function addCall(evidence: Evidence, { request: requestType, reply: replyType }: Rpc, call: CriCall, test: string): Evidence {
  const code = status[call.code] ?? String(call.code);
  let { sent, refused, received } = evidence;
  for (const field of fieldsSet(requestType, call.request)) {
    if (call.code === 0) sent = withUse(sent, field, test);
    else refused = withUse(refused, `${field} ${code}`, test);
  }
  if (call.reply !== undefined) for (const field of fieldsSet(replyType, call.reply)) received = withUse(received, field, test);
  return { outcomes: withOutcome(evidence.outcomes, call.method, { code, test }), sent, refused, received };
}

const directory = process.env['BERTH_CRI_EVIDENCE'];
if (directory !== undefined) {
  const rpcs = new Map(loadRpcs().map((rpc) => [rpc.name, rpc]));
  let evidence = noEvidence;
  const onCall = (message: unknown): void => {
    const call = message as CriCall;
    const rpc = rpcs.get(call.method);
    const test = expect.getState().currentTestName;
    // Calls of a file's set-up belong to no test.
    if (rpc !== undefined && test !== undefined) evidence = addCall(evidence, rpc, call, `${file()}: ${test}`);
  };
  beforeAll(() => {
    subscribe('berth:cri', onCall);
  });
  afterAll(() => {
    unsubscribe('berth:cri', onCall);
    if (evidence !== noEvidence) saveEvidence(directory, file().replaceAll('/', '-'), evidence);
  });
}

/** The test's file below `conformance/`. */
function file(): string {
  return relative('conformance', expect.getState().testPath ?? '');
}
