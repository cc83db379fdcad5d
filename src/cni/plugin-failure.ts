import { BerthError, type ErrorKind } from '../lib/errors.ts';
import type { ExecResult } from '../agent/port.ts';

/** Codes of the specification, section 5, that call for something. */
const knownCodes: Readonly<Record<number, { readonly kind: ErrorKind; readonly hint: string }>> = {
  1: { kind: 'precondition', hint: "the plugin does not speak the config's cniVersion" },
  2: { kind: 'precondition', hint: 'the network config has a field that the plugin does not know' },
  7: { kind: 'precondition', hint: 'the network config is not as the plugin wants it' },
  11: { kind: 'unavailable', hint: 'try again later' },
  50: { kind: 'unavailable', hint: 'the plugin cannot add pods now' },
  51: { kind: 'unavailable', hint: 'the plugin cannot add pods now, and those it has may have no network' },
};
const unknownContainer = 3;
const stderrTail = 500;

/** A plugin ended with an error; the message says which one, on which network, and what it said. */
export class PluginFailure extends BerthError {
  /** The plugin's own error code, if it gave one. */
  readonly code: number | undefined;
  /** The plugin's own words. */
  readonly detail: string;

  constructor(subject: string, result: ExecResult) {
    const { code, detail } = explain(result);
    const known = code === undefined ? undefined : knownCodes[code];
    super(known?.kind ?? 'internal', `${subject}: ${detail}`, known === undefined ? {} : { hint: known.hint });
    this.code = code;
    this.detail = detail;
  }

  /** The plugin has nothing of this pod, so there is nothing to undo. */
  get meansUnknownContainer(): boolean {
    return this.code === unknownContainer;
  }
}

function explain({ stdout, stderr, exitCode }: ExecResult): { readonly code: number | undefined; readonly detail: string } {
  const said = parseError(Buffer.from(stdout).toString());
  if (said !== undefined) return said;
  const text = Buffer.from(stderr).toString().trim() || Buffer.from(stdout).toString().trim();
  return { code: undefined, detail: `exit code ${exitCode}${text === '' ? '' : `, ${text.slice(-stderrTail)}`}` };
}

function parseError(text: string): { readonly code: number | undefined; readonly detail: string } | undefined {
  try {
    const { code, msg, details } = JSON.parse(text) as { code?: unknown; msg?: unknown; details?: unknown };
    if (typeof msg !== 'string') return undefined;
    const more = typeof details === 'string' && details !== '' ? ` (${details})` : '';
    return { code: typeof code === 'number' ? code : undefined, detail: msg + more };
  } catch {
    return undefined;
  }
}
