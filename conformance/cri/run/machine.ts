import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { hierarchies } from '../../fixtures/cgroups.ts';

/** What test nodes are known by, wherever they leave something: their names begin so. */
const ours = /\bbt-?[0-9a-f]{4}\b|berth-(cri|shim|agent|pause|upstream)/;

const lines = (program: string, args: readonly string[]): readonly string[] => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');

function commandLines(): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}`;
      } catch {
        return '';
      }
    });
}

/** Everything of test nodes that is on the machine: processes, mounts, namespaces, cgroups, rules, links, directories. */
export function traces(): ReadonlySet<string> {
  const found = {
    process: commandLines(),
    mount: readFileSync('/proc/self/mounts', 'utf8').split('\n'),
    netns: lines('ip', ['netns', 'list']),
    cgroup: hierarchies().flatMap((hierarchy) => readdirSync(hierarchy).map((name) => `${hierarchy}/${name}`)),
    rule: lines('iptables-save', []),
    link: lines('ip', ['-o', 'link']).map((line) => line.split(': ')[1] ?? ''),
    directory: readdirSync(tmpdir()).map((name) => `${tmpdir()}/${name}`),
  };
  return new Set(Object.entries(found).flatMap(([kind, names]) => names.filter((name) => ours.test(name)).map((name) => `${kind} ${name}`)));
}
