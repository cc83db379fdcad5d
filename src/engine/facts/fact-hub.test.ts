import { expect, test } from 'vitest';
import type { Fact } from '../model/fact.ts';
import { FactHub } from './fact-hub.ts';

const fact = (change: Partial<Fact>): Fact => ({ atNs: 1n, owner: 'cri', kind: 'container', action: 'started', id: 'c', attributes: {}, ...change });

test('each listener hears the facts of its owner in order, whatever another does with them', () => {
  const lines: object[] = [];
  const hub = new FactHub({ error: (fields) => lines.push(fields) });
  const [cri, all]: [string[], string[]] = [[], []];
  hub.listen(() => {
    throw new Error('a full queue');
  }, undefined);
  hub.listen(({ id }) => cri.push(id), 'cri');
  hub.listen(({ id }) => all.push(id), undefined);
  for (const told of [fact({ id: 'a' }), fact({ id: 'b', owner: 'docker' }), fact({ id: 'c' })]) hub.tell(told);
  expect([cri, all]).toEqual([['a', 'c'], ['a', 'b', 'c']]);
  expect(lines).toMatchObject([{ id: 'a', reason: 'a full queue' }, { id: 'b' }, { id: 'c' }]);
});
