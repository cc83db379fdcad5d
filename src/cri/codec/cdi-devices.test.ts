import { expect, test } from 'vitest';
import { decodeCdiDevices } from './cdi-devices.ts';

test('devices of the request and of its annotations, each once', () => {
  const gpu = (name: string): string => `acme.example/gpu=${name}`;
  const annotations = { 'cdi.k8s.io/b': `${gpu('3')},${gpu('1')}`, 'cdi.k8s.io/a': gpu('2'), other: 'x' };
  expect(decodeCdiDevices([gpu('1')], annotations)).toEqual([gpu('1'), gpu('2'), gpu('3')]);
});
