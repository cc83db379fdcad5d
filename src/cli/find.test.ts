import { expect, test } from 'vitest';
import { choose, type Candidate } from './find.ts';

const kind = { noun: 'container', list: 'berth ps --all' };
const candidate = (id: string, name: string, isLive: boolean): Candidate => ({ id, names: [name], isLive });
const all = [candidate('aa11', 'web', false), candidate('aa22', 'web', true), candidate('bb33', 'db', false), candidate('cc44', 'job', true), candidate('dd55', 'job', true)];

test.each([
  ['aa1', 'aa11', 'an id prefix'],
  ['web', 'aa22', 'a name: the one that runs'],
  ['db', 'bb33', 'a name of one that has ended'],
])('%s is %s, by %s', (word, id) => {
  expect(choose(all, word, kind).id).toBe(id);
});

test.each([
  ['', 'no container has the id or name ""; see: berth ps --all'],
  ['nothing', 'no container has the id or name "nothing"; see: berth ps --all'],
  ['aa', '"aa" stands for 2 of them: aa11, aa22; give more of the id'],
  ['job', '"job" stands for 2 of them: cc44, dd55; give more of the id'],
])('%j is refused: %s', (word, message) => {
  expect(() => choose(all, word, kind)).toThrow(message);
});
