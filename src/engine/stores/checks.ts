import { BerthError } from '../../lib/errors.ts';
import { stringField, type JsonObject } from '../../lib/json-fields.ts';

/** Ids become paths, so nothing but an id may come out of a record. */
export function checkId(record: JsonObject, id: string, what: string): void {
  if (!/^[0-9a-f]{64}$/.test(id) || stringField(record, 'id', what) !== id) throw new BerthError('invalid', `${what} has a wrong id`);
  if (typeof record['createdAtNs'] !== 'bigint') throw new BerthError('invalid', `${what} has no creation time`);
}

export function checkWord<Word>(word: unknown, words: readonly Word[], what: string): void {
  if (!words.includes(word as Word)) throw new BerthError('invalid', `${what} holds "${String(word)}", which is none of ${words.join(', ')}`);
}
