import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const guide = readFileSync(join(import.meta.dirname, '../../deploy/systemd/INSTALL.md'), 'utf8');

/** The commands of one section of INSTALL.md, block by block, exactly as they stand there. @throws Error when it has none. */
export function commandsOf(section: string): readonly string[] {
  const text = guide.split(/^## /m).find((part) => part.startsWith(`${section}\n`));
  const blocks = [...(text ?? '').matchAll(/^```\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
  if (blocks.length === 0) throw new Error(`INSTALL.md has no commands under "${section}"`);
  return blocks;
}
