import { defineConfig } from 'vitest/config';

/** Takes longer than every run may; `make conformance-cluster` runs it. */
const longClusterSuite = 'conformance/cluster/long/*.test.ts';

/** Virtual machines without KVM; `make conformance-debian` runs it. */
const debianSuite = 'conformance/debian/*.test.ts';

/** What is awaited comes soon on a quiet machine; how soon is no test's to say. */
const expectations = { poll: { timeout: 15_000 } };

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'packages/**/*.test.ts'], testTimeout: 20_000, expect: expectations } },
      {
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts'],
          exclude: [longClusterSuite, debianSuite],
          // Suites share the machine's cgroups, iptables and CNI state, so files run one after another.
          fileParallelism: false,
          setupFiles: ['conformance/cri/report/witness.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          expect: expectations,
        },
      },
      // The CRI suites alone, side by side: each file has a node of its own, and nothing on a machine is asked for by a fixed name.
      {
        test: {
          name: 'cri',
          include: ['conformance/cri/**/*.test.ts'],
          setupFiles: ['conformance/cri/report/witness.ts'],
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 180_000,
          expect: expectations,
        },
      },
      // Groups on one machine build on each other, and what comes after a failed one still tells something.
      { test: { name: 'debian', include: [debianSuite], fileParallelism: false, testTimeout: 1_800_000, hookTimeout: 1_800_000 } },
      { test: { name: 'cluster', include: ['conformance/cluster/*.test.ts', longClusterSuite], fileParallelism: false, testTimeout: 90_000, hookTimeout: 180_000, expect: expectations } },
    ],
  },
});
