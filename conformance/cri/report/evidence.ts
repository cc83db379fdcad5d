import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** gRPC code by name of the RPC, each with the first test, by name, that saw it. */
export type Outcomes = Readonly<Record<string, Readonly<Record<string, string>>>>;
/** `Message.field` with the first test, by name, that used it. */
export type Uses = Readonly<Record<string, string>>;

/** What the tests of a run did with the contract. */
export interface Evidence {
  readonly outcomes: Outcomes;
  /** Fields of requests that were answered. */
  readonly sent: Uses;
  /** Fields of requests that were refused, with the code: `Message.field CODE`. */
  readonly refused: Uses;
  /** Fields of replies. */
  readonly received: Uses;
}

export const noEvidence: Evidence = { outcomes: {}, sent: {}, refused: {}, received: {} };

/** One use more; of two tests the one whose name comes first is kept, so that the order of a run does not matter. */
export function withUse(uses: Uses, name: string, test: string): Uses {
  const known = uses[name];
  return known !== undefined && known <= test ? uses : { ...uses, [name]: test };
}

export function withOutcome(outcomes: Outcomes, rpc: string, { code, test }: { readonly code: string; readonly test: string }): Outcomes {
  return { ...outcomes, [rpc]: withUse(outcomes[rpc] ?? {}, code, test) };
}

function mergeUses(a: Uses, b: Uses): Uses {
  return Object.entries(b).reduce((uses, [name, test]) => withUse(uses, name, test), a);
}

export function merge(a: Evidence, b: Evidence): Evidence {
  const rpcs = new Set([...Object.keys(a.outcomes), ...Object.keys(b.outcomes)]);
  return {
    outcomes: Object.fromEntries([...rpcs].map((rpc) => [rpc, mergeUses(a.outcomes[rpc] ?? {}, b.outcomes[rpc] ?? {})])),
    sent: mergeUses(a.sent, b.sent),
    refused: mergeUses(a.refused, b.refused),
    received: mergeUses(a.received, b.received),
  };
}

/** Writes what one test file saw. */
export function saveEvidence(directory: string, name: string, evidence: Evidence): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(evidence));
}

/** What all files of a run saw together. */
export function loadEvidence(directory: string): Evidence {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as Evidence)
    .reduce(merge, noEvidence);
}
