import { expect, test } from 'vitest';
import { renderWaterfall } from './render-waterfall.ts';

const phase = (name: string, startMs: number, durationMs: number) => ({ name, startMs, durationMs });
const rows = (text: string): readonly string[] => text.split('\n');

test('what ran inside a phase stands below it, indented, and the time of no phase makes the sum', () => {
  const text = renderWaterfall('container c', [phase('image', 0, 1), phase('shim', 2, 4), phase('oci-start', 6.5, 3), phase('mount', 2, 1), phase('oci-run', 6.5, 2)]);
  expect(rows(text).map((row) => row.replaceAll(/\s*[█░]+$/g, ''))).toEqual([
    'container c: 9.5 ms',
    '  image           1.0 ms',
    '  shim            4.0 ms',
    '    mount         1.0 ms',
    '  oci-start       3.0 ms',
    '    oci-run       2.0 ms',
    '  other           1.5 ms',
  ]);
});

test('what ran in parallel is not twice in the sum', () => {
  expect(rows(renderWaterfall('pod p', [phase('namespaces', 0.5, 4), phase('files', 0.6, 2), phase('cni', 5, 5)])).at(-1)).toMatch(/^ {2}other +1\.0 ms$/);
});

test('a start without phases has an end, too', () => {
  expect(renderWaterfall('pod p', [])).toContain('other');
});
