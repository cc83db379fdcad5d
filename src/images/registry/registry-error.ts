import { BerthError, type ErrorKind } from '../../lib/errors.ts';
import { asObject, listField, parseJsonObject, stringField } from '../../lib/json-fields.ts';
import type { HttpResponse } from './http-transport.ts';
import { TooSlow } from './least-rate.ts';

export interface RegistryErrorDetail {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
  readonly hint?: string;
}

const maxErrorBytes = 64 * 1024;
const maxRetryAfterMs = 30_000;

/** Answers that are no failure of the registry. */
const kinds: Readonly<Record<number, ErrorKind>> = { 401: 'denied', 403: 'denied', 404: 'not-found' };

/** A registry's refusal or silence. */
export class RegistryError extends BerthError {
  readonly status: number;
  /** Worth another try: the answer may differ in a moment. */
  readonly transient: boolean;
  readonly retryAfterMs: number;

  constructor(message: string, { status, retryAfterMs = 0, cause, hint }: RegistryErrorDetail) {
    super(kinds[status] ?? 'registry', message, { cause, ...(hint === undefined ? {} : { hint }) });
    this.status = status;
    this.transient = status === 0 || status === 408 || status === 429 || status >= 500;
    this.retryAfterMs = Math.min(retryAfterMs, maxRetryAfterMs);
  }
}

/** Undici and the sockets below it give codes; those say more than most messages. */
function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  if (cause instanceof AggregateError && cause.errors.length > 0) return describeCause(cause.errors[0]);
  const message = cause.message === '' ? cause.name : cause.message;
  return code === '' || message.includes(code) ? message : `${message} (${code})`;
}

const certificateCodes = new Set(['CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'ERR_TLS_CERT_ALTNAME_INVALID']);

function codeOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}

/** What to do about errors that no further try will mend. */
function hintFor(code: string, host: string): string | undefined {
  if (certificateCodes.has(code)) return `set "ca" in [registries."${host}"] if its certificate is private, or add its authority to the node's own and restart berthd`;
  return code.startsWith('ERR_SSL_') ? `set "insecure" in [registries."${host}"] if it speaks plain HTTP` : undefined;
}

/** What to look at where the next try may go well. */
function adviceFor(code: string, host: string): { readonly hint?: string } {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return { hint: `check the registry's name and the node's DNS; [registries."${host}"] may name another server or a mirror` };
  return unreached.has(code) ? { hint: `check that ${host} is up and can be reached from this node; a proxy is set by HTTPS_PROXY of berthd` } : {};
}

const unreached = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** No answer came, or the answer broke off. `doing` reads as in "cannot <doing>". */
export function unreachable(doing: string, host: string, cause: unknown): BerthError {
  if (cause instanceof BerthError && !(cause instanceof TooSlow)) return cause;
  const text = `cannot ${doing}: ${host}: ${describeCause(cause)}`;
  const hint = cause instanceof TooSlow ? cause.hint : hintFor(codeOf(cause), host);
  if (hint !== undefined) return new BerthError('registry', text, { cause, hint });
  return new RegistryError(text, { status: 0, cause, ...adviceFor(codeOf(cause), host) });
}

/** The same error with a remark behind its message. */
export function remarked(error: unknown, remark: string): unknown {
  if (!(error instanceof BerthError)) return error;
  const message = `${error.message} (${remark})`;
  const { kind, cause, hint } = error;
  const options = { cause, ...(hint === undefined ? {} : { hint }) };
  if (!(error instanceof RegistryError)) return new BerthError(kind, message, options);
  return new RegistryError(message, { ...options, status: error.status, retryAfterMs: error.retryAfterMs });
}

/** The error of the last server, with what those before it said. */
export function alsoTried(error: unknown, before: readonly string[]): unknown {
  return before.length === 0 ? error : remarked(error, `before it, ${before.join('; ')}`);
}

/** Reads a body up to a limit and fails `registry` beyond it. */
export async function readBody({ body }: Pick<HttpResponse, 'body'>, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > limit) throw new BerthError('registry', `${what} is larger than ${String(limit)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The first error of the body in the distribution spec's format, cleaned of control characters. */
async function describeBody(response: HttpResponse): Promise<string> {
  try {
    const body = await readBody(response, maxErrorBytes, 'error body');
    const first = asObject(listField(parseJsonObject(body, 'error body'), 'errors', 'error body')[0], 'error');
    const text = [stringField(first, 'code', 'error'), stringField(first, 'message', 'error')].filter((part) => part !== '').join(' ');
    return `, ${text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 500)}`;
  } catch {
    return '';
  }
}

/** Seconds, or the date at which to come again (RFC 9110, section 10.2.3). */
function retryAfter(response: HttpResponse): number {
  const given = response.headers('retry-after')[0] ?? '';
  const delayMs = /^\d+$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Number.isFinite(delayMs) && delayMs > 0 ? delayMs : 0;
}

const hints: Readonly<Record<number, string>> = {
  401: 'check the name and the image pull credentials',
  403: 'check the name and the image pull credentials',
  404: 'check the name, and the credentials if it is private',
};

/** The error for an answer that is no success; reads the body. */
export async function refusal(doing: string, host: string, response: HttpResponse): Promise<RegistryError> {
  const { status } = response;
  const hint = hints[status];
  const detail = await describeBody(response);
  const text = `cannot ${doing}: ${host} answered ${String(status)}${detail}`;
  return new RegistryError(text, { status, retryAfterMs: retryAfter(response), ...(hint === undefined ? {} : { hint }) });
}
