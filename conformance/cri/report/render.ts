import type { Finding } from './judge.ts';

interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}

const row = ({ name, status, shown }: Finding): string => `| \`${name}\` | ${status} | ${shown.replaceAll('|', '\\|')} |`;

function renderSection({ title, findings }: Section): string {
  return [`## ${title}`, '', '| name | status | shown by, for example |', '|---|---|---|', ...findings.map(row), ''].join('\n');
}

/** The report as Markdown. It says nothing of times or order, so that two runs of the same tests write the same. */
export function renderReport(sections: readonly Section[]): string {
  const intro = [
    '# What berth does with the CRI',
    '',
    'Written by `make conformance-cri` from what the suites sent to a real berthd and what it answered. A field counts as',
    'shown when a test set it, or saw it, with another value than its default.',
    '',
  ].join('\n');
  return `${intro}\n${sections.map(renderSection).join('\n')}`;
}
