import { existsSync } from 'node:fs';
import type { CgroupDriver } from '../oci/runtime-spec/cgroups-path.ts';
import type { Config } from './schema.ts';

/** The configured cgroup driver; auto means systemd where systemd is the init of this machine, as sd_booted(3) tells. */
export function cgroupDriver({ cgroup }: Pick<Config, 'cgroup'>): CgroupDriver {
  if (cgroup.driver !== 'auto') return cgroup.driver;
  return existsSync('/run/systemd/system') ? 'systemd' : 'cgroupfs';
}
