/**
 * Judges the evidence of a run: `node conformance/cri/report/main.ts DIRECTORY [REPORT]` fails when the suites do not show
 * what the tables say, and writes the report where one is named.
 */
import { writeFileSync } from 'node:fs';
import { loadRpcs } from './contract.ts';
import { loadEvidence } from './evidence.ts';
import { judgeReplies, judgeRequests, judgeRpcs, strayStatuses } from './judge.ts';
import { renderReport } from './render.ts';

const [directory, report] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: main.ts EVIDENCE-DIRECTORY [REPORT]');
const rpcs = loadRpcs();
const evidence = loadEvidence(directory);
const sections = [
  { title: 'Calls', findings: judgeRpcs(rpcs, evidence) },
  { title: 'Fields of requests', findings: judgeRequests(rpcs, evidence) },
  { title: 'Fields of replies', findings: judgeReplies(rpcs, evidence) },
];
if (report !== undefined) writeFileSync(report, renderReport(sections));
const missing = [
  ...sections.flatMap(({ findings }) => findings.flatMap((finding) => finding.missing ?? [])),
  ...strayStatuses(rpcs).map((name) => `the table of statuses names ${name}, which the contract does not have`),
];
for (const line of missing) console.log(line);
const count = sections.reduce((total, { findings }) => total + findings.length, 0);
console.log(`${count - missing.length} of ${count} calls and fields are as the report says`);
process.exitCode = missing.length > 0 ? 1 : 0;
