import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'packages/**/*.test.ts'] } },
      {
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts'],
          // Suites share the machine's cgroups, iptables and CNI state, so files run one after another.
          fileParallelism: false,
          setupFiles: ['conformance/cri/report/witness.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
