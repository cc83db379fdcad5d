import type { EngineParts } from '../parts.ts';
import { watchInits } from '../pods/watch-inits.ts';
import { loadRecords } from './load-records.ts';
import { recoverContainers } from './recover-containers.ts';
import { recoverPods } from './recover-pods.ts';
import { findOrphans, sweepOrphans } from './sweep-orphans.ts';

const featuresMs = 10_000;

/** See RunningEngine.recover. Orphans are looked for last, since what a pod loses by the recovery is one too. */
export async function recover(parts: EngineParts): Promise<void> {
  const startMs = parts.clock.monotonicMs();
  loadRecords(parts);
  parts.background.run('loading the default AppArmor profile', {}, (signal) => parts.apparmor.provideDefault(parts, signal));
  const asking = AbortSignal.timeout(featuresMs);
  await Promise.all([recoverPods(parts), recoverContainers(parts), parts.features.load(parts, asking)]);
  parts.state.bootSeen();
  const orphans = await findOrphans(parts);
  parts.background.run('cleaning up what no record names', {}, () => sweepOrphans(parts, orphans));
  watchInits(parts);
  parts.log.info(
    { pods: parts.pods.all().length, containers: parts.containers.all().length, rebooted: parts.state.rebooted, ms: Math.round(parts.clock.monotonicMs() - startMs) },
    'pods and containers are recovered',
  );
}
