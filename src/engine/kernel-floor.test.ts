import { expect, test } from 'vitest';
import { isKind } from '../lib/errors.ts';
import { checkKernel, kernelTrouble } from './kernel-floor.ts';

test.each(['5.12', '5.12.0-rc1', '5.14.0-427.13.1.el9_4.x86_64', '5.100.3', '6.1.0-50-amd64', '6.18.44', '10.0', 'next-20261130'])('%s will do', (release) => {
  expect(kernelTrouble(release)).toBe('');
});

test.each(['5.11.22', '5.4.0-216-generic', '4.18.0-553.el8_10.x86_64', '3.10.0-1160.el7.x86_64', '2.6.78'])('%s is too old, and the refusal says so', (release) => {
  const refusal = (): unknown => {
    try {
      return checkKernel(release);
    } catch (error) {
      return error;
    }
  };
  expect(refusal()).toSatisfy((error) => isKind(error, 'precondition'));
  expect(refusal()).toMatchObject({ message: `the kernel of this node is Linux ${release}, and berth needs 5.12 or newer` });
});
