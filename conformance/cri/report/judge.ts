import { fieldName, reachableFields, type Rpc } from './contract.ts';
import type { Evidence, Uses } from './evidence.ts';
import { type FieldStatus, replyFields, requestFields, statusOf, unshownCalls } from './field-status.ts';

/** One line of the report. `missing` says what the run owes. */
export interface Finding {
  readonly name: string;
  readonly status: string;
  readonly shown: string;
  readonly missing: string | undefined;
}

/** What the run showed of each RPC. */
export function judgeRpcs(rpcs: readonly Rpc[], { outcomes }: Evidence): readonly Finding[] {
  return rpcs.map(({ name }) => {
    const { OK: answered, ...refusals } = outcomes[name] ?? {};
    const codes = Object.keys(refusals).toSorted().join(', ');
    const why = unshownCalls[name];
    const status = codes === '' ? 'answers' : `answers; also seen: ${codes}`;
    return {
      name,
      status: why === undefined ? status : `${status}; ${why}`,
      shown: answered ?? '',
      missing: answered === undefined && why === undefined ? `no test was answered by ${name}` : undefined,
    };
  });
}

/** What the run showed of each field that a client can send. */
export function judgeRequests(rpcs: readonly Rpc[], { sent, refused }: Evidence): readonly Finding[] {
  const names = fieldsOf(rpcs.map(({ request }) => request));
  return names.map((name) => judge({ name, status: statusOf(requestFields, name), plain: 'honoured' }, sent, refused));
}

/** What the run showed of each field that a client can receive. */
export function judgeReplies(rpcs: readonly Rpc[], { received }: Evidence): readonly Finding[] {
  const names = fieldsOf(rpcs.map(({ reply }) => reply));
  return names.map((name) => judge({ name, status: statusOf(replyFields, name), plain: 'filled' }, received, {}));
}

function fieldsOf(types: readonly Rpc['request'][]): readonly string[] {
  const seen = new Set<Rpc['request']>();
  return [...new Set(types.flatMap((type) => reachableFields(type, seen)).map(fieldName))].toSorted();
}

interface Judged {
  readonly name: string;
  readonly status: FieldStatus | undefined;
  readonly plain: string;
}

function judge({ name, status, plain }: Judged, used: Uses, refused: Uses): Finding {
  const test = used[name];
  switch (status?.is) {
    case undefined:
      return { name, status: plain, shown: test ?? '', missing: test === undefined ? `${name} is said to be ${plain}, and no test shows it` : undefined };
    case 'refused': {
      const refusal = refused[`${name} ${status.code}`];
      return { name, status: `refused, ${status.code}: ${status.why}`, shown: refusal ?? '', missing: refusal === undefined ? `no test saw ${name} refused with ${status.code}` : undefined };
    }
    case 'ignored':
    case 'unshown':
      return { name, status: `${status.is === 'ignored' ? 'ignored' : plain}: ${status.why}`, shown: test ?? '', missing: undefined };
  }
}

/** Entries of the tables that name no field or message of the contract. */
export function strayStatuses(rpcs: readonly Rpc[]): readonly string[] {
  const known = (types: readonly Rpc['request'][]): Set<string> => new Set(fieldsOf(types).flatMap((name) => [name, name.slice(0, name.indexOf('.'))]));
  const stray = (table: Readonly<Record<string, FieldStatus>>, names: Set<string>): readonly string[] => Object.keys(table).filter((name) => !names.has(name));
  return [...stray(requestFields, known(rpcs.map(({ request }) => request))), ...stray(replyFields, known(rpcs.map(({ reply }) => reply)))];
}
