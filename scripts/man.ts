/** Prints berth(1), made from the commands as they are; berthd(8) is written by hand. */
import type { Command, Option } from 'commander';
import { program } from '../src/cli/program.ts';
import { packageVersion } from '../src/lib/version.ts';

/** Text as roff takes it: a backslash and a minus are its own, and so is a dot or a quote that begins a line. */
const roff = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll(/^(?=[.'])/gm, '\\&');

const optionsOf = (command: Command): readonly Option[] => command.createHelp().visibleOptions(command).filter(({ long }) => long !== '--help');

/** Commander writes [options] also where --help is the only one. */
const usage = (command: Command): string => command.usage().replace(/^\[options\] ?/, optionsOf(command).length > 0 ? '[options] ' : '').trim();

function entries(command: Command): readonly string[] {
  const help = command.createHelp();
  const options = optionsOf(command);
  return [
    ...help.visibleArguments(command).map((argument) => `.TP\n${roff(help.argumentTerm(argument))}\n${roff(help.argumentDescription(argument))}`),
    ...options.map((option) => `.TP\n.B ${roff(help.optionTerm(option))}\n${roff(help.optionDescription(option))}`),
  ];
}

/** A command and, for a group of commands, those in it. */
function section(command: Command, path: string): readonly string[] {
  const name = `${path} ${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((inner) => section(inner, name));
  return [`.SS ${roff(`${name} ${usage(command)}`).trim()}`, roff(command.description()), ...entries(command)];
}

const page = [
  `.TH BERTH 1 "" "berth ${packageVersion()}" "User Commands"`,
  '.SH NAME',
  `berth \\- ${roff(program.description().replace(/^./, (first) => first.toLowerCase()))}`,
  '.SH SYNOPSIS',
  '.B berth',
  roff(usage(program)),
  '.SH OPTIONS',
  ...entries(program),
  '.SH COMMANDS',
  ...program.commands.flatMap((command) => section(command, 'berth')),
  '.SH FILES',
  '.TP',
  '.I /run/berth/berth.sock',
  'the CRI socket of berthd; pull, import, trace and info also use debug.sock in its run root',
  '.SH EXIT STATUS',
  '0 when all was done, 1 when not or when the command line is wrong; \\fBexec\\fP ends with the exit code of the program that it ran.',
  '.SH SEE ALSO',
  '.BR berthd (8)',
];
process.stdout.write(`${page.join('\n')}\n`);
