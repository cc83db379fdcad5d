import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Notes each begin and end of itself; an ADD waits until the gate is open, and fails without leave when it is cut off. */
const script = (dir: string): string => `#!/bin/sh
echo "$CNI_COMMAND begins" >> ${dir}/events
if [ "$CNI_COMMAND" = ADD ]; then
  while [ ! -e ${dir}/open ]; do sleep 0.02; done
  jq .prevResult
fi
[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'
echo "$CNI_COMMAND ends" >> ${dir}/events
`;

/** A CNI plugin at the end of a network's chain that stops a pod's start where a test wants to crash something. */
export class GatePlugin {
  readonly #dir = mkdtempSync(join(tmpdir(), 'berth-gate-'));

  constructor() {
    mkdirSync(this.binDir);
    writeFileSync(join(this.binDir, 'gate'), script(this.#dir));
    chmodSync(join(this.binDir, 'gate'), 0o755);
    this.open();
  }

  get binDir(): string {
    return join(this.#dir, 'bin');
  }

  /** Puts the plugin into the network of a config directory. */
  joinNetwork(confDir: string): void {
    for (const name of readdirSync(confDir)) {
      const path = join(confDir, name);
      const list = JSON.parse(readFileSync(path, 'utf8')) as { plugins: object[] };
      writeFileSync(path, JSON.stringify({ ...list, plugins: [...list.plugins, { type: 'gate' }] }));
    }
  }

  open(): void {
    writeFileSync(join(this.#dir, 'open'), '');
  }

  shut(): void {
    rmSync(join(this.#dir, 'open'));
    rmSync(join(this.#dir, 'events'), { force: true });
  }

  /** What happened since it was shut. */
  get events(): readonly string[] {
    const path = join(this.#dir, 'events');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').filter((event) => /^(ADD|DEL)/.test(event)) : [];
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
