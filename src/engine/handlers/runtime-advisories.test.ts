import { expect, test } from 'vitest';
import { runtimeVersion } from './runtime-advisories.ts';

test.each<[string, string, string, boolean]>([
  ['runc', '1.1.5+ds1', 'CVE-2024-21626', true],
  ['runc', '1.1.5+ds1', 'CVE-2023-27561', false],
  ['runc', '1.1.12', 'CVE-2024-21626', false],
  ['runc', '1.2.7', 'CVE-2025-31133', true],
  ['runc', '1.2.8', 'CVE-2025-31133', false],
  ['runc', '1.3.2', 'CVE-2025-52881', true],
  ['runc', '1.3.3', 'CVE-2025-52565', false],
  ['runc', '1.4.0-rc.2', 'CVE-2025-31133', true],
  ['runc', '1.4.0-rc.3', 'CVE-2025-31133', false],
  ['runc', '1.1.15', 'CVE-2025-31133', true],
  ['runc', '1.5.3', 'CVE-2026-41579', false],
  ['runc', '1.3.5', 'CVE-2026-41579', true],
  ['runc', '1.0.0-rc94', 'CVE-2021-30465', true],
  ['runc', '1.0.0-rc95', 'CVE-2021-30465', false],
  ['runc', '1.0.0-rc6+dev', 'CVE-2019-5736', true],
  ['runc', '1.0.0', 'CVE-2019-5736', false],
  ['crun', '1.8.1', 'CVE-2026-47766', true],
  ['crun', '1.28', 'CVE-2026-47766', false],
  ['crun', '1.28.1', 'CVE-2022-27650', false],
  ['crun', '1.29.1', 'CVE-2026-88265', true],
])('%s %s and %s: %s', (name, version, id, open) => {
  const known = runtimeVersion(`${name} version ${version}\ncommit: 0123\nspec: 1.0.0\n`);
  expect([known.version, known.advisories.includes(id)]).toEqual([`${name} ${version}`, open]);
});

test.each(['', 'runsc version release-20260101.0', 'youki version 0.5.0', 'runc version \u001B[31m', 'crun version unknown', 'no runc version 1.1.5'])('%j is no version of a runtime that is known', (printed) => {
  expect(runtimeVersion(printed)).toEqual({ version: '', advisories: [] });
});
