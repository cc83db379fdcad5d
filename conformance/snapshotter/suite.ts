import { join } from 'node:path';
import { afterEach, beforeEach, describe } from 'vitest';
import { missing, nativeDirectory } from '../native/private-agent.ts';
import { Harness, type OpenSnapshotter, type SnapshotterPlace, type SnapshotterTraits } from './harness.ts';
import { provesLifetime } from './lifetime.ts';
import { provesNames } from './names.ts';
import { provesViews } from './views.ts';

/** Describes tests that need the real agent; each gets a harness of its own. */
export function describeSnapshotter(title: string, open: OpenSnapshotter, tests: (harness: () => Harness) => void, place: SnapshotterPlace = {}): void {
  const absent = missing(join(nativeDirectory, 'berth-agent'));
  if (absent !== undefined) console.warn(`skipped: ${absent} is not built`);
  describe.skipIf(absent !== undefined)(title, () => {
    let harness: Harness;
    beforeEach(() => {
      harness = new Harness(open, place);
    });
    afterEach(async () => {
      await harness.close();
    });
    tests(() => harness);
  });
}

/** What src/snapshotter/port.ts promises, proved by mounting and looking. */
export function snapshotterSuite(title: string, open: OpenSnapshotter, kind: SnapshotterTraits, place: SnapshotterPlace = {}): void {
  describeSnapshotter(title, open, (harness) => {
    provesViews(harness);
    provesNames(harness);
    provesLifetime(harness, kind);
  }, place);
}
