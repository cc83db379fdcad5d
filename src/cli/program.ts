import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { defaultConfigPath } from '../config/load-config.ts';
import { packageVersion } from '../lib/version.ts';
import { completionScript, shells, type Shell } from './completion.ts';
import { checkConfig } from './commands/config.ts';
import { execInContainer } from './commands/exec.ts';
import { listImages } from './commands/images.ts';
import { showInfo } from './commands/info.ts';
import { showLogs } from './commands/logs.ts';
import { listContainers, listPods } from './commands/pods.ts';
import { importImage, pullImage } from './commands/pull.ts';
import { stopPods } from './commands/stop.ts';
import { showTrace } from './commands/trace.ts';
import { Context, type GlobalOptions } from './context.ts';

/** The operator's tool: its commands and options, from which its completions and its manual are made, too. */
export const program = new Command('berth')
  .description('Look at and work with a node that runs berth')
  .addOption(new Option('-e, --endpoint <socket>', 'CRI socket of berthd: a path, or unix://PATH').env('BERTH_ENDPOINT').default('/run/berth/berth.sock'))
  .option('--json', 'print JSON; logs print an object a line', false)
  .version(`berth ${packageVersion()}`, '--version', 'print the version')
  .helpOption('-h, --help', 'print what a command does and takes')
  // As all other errors begin.
  .configureOutput({ outputError: (text, write) => { write(text.replace(/^error: /, 'berth: ')); } })
  .enablePositionalOptions();

/** A command, after whose name the options of the program may stand, too. */
function command(name: string, description: string, parent: Command = program): Command {
  return parent.command(name).description(description).addOption(new Option('-e, --endpoint <socket>').hideHelp()).addOption(new Option('--json').hideHelp());
}

/** What is said after the command goes before what is said in front of it. */
const globalOptions = (of: Command): GlobalOptions => ({ ...program.opts<GlobalOptions>(), ...of.opts<Partial<GlobalOptions>>() });

/** Opens the sockets for one command and closes them whatever happens. */
function withContext<Args extends unknown[]>(work: (context: Context, ...args: Args) => Promise<void>): (this: Command, ...args: Args) => Promise<void> {
  return async function (...args) {
    const context = new Context(globalOptions(this));
    try {
      await work(context, ...args);
    } finally {
      context.close();
    }
  };
}

function wholeSeconds(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes whole seconds.');
  return Number(text);
}

const anyContainer = 'id, id prefix or name of a container';
const anyPod = 'id, id prefix or name of a pod';

command('images', 'list the images of this node, a line for each tag').action(withContext(listImages));
command('pods', 'list pods, also those that are stopped, newest first').option('-q, --quiet', 'ids only').action(withContext(listPods));
command('ps', 'list running containers, newest first').option('-a, --all', 'exited ones too').option('-q, --quiet', 'ids only').action(withContext(listContainers));
command('logs', "print a container's log as its program wrote it, stdout and stderr apart").argument('<container>', anyContainer).option('-f, --follow', 'go on until it exits').action(withContext(showLogs));
command('exec', 'run a program in a container to its end, without input or terminal, and end with its exit code')
  .argument('<container>', anyContainer)
  .argument('<command...>', 'program and arguments; -- may stand before them')
  .addOption(new Option('--timeout <seconds>', 'end it after so long; 0: never').argParser(wholeSeconds).default(0))
  // What fingers type; the answer says what to use instead.
  .addOption(new Option('-i, --interactive').hideHelp())
  .addOption(new Option('-t, --tty').hideHelp())
  .passThroughOptions()
  .action(withContext(execInContainer));
command('stop', 'stop pods: their containers end, their network and mounts are released, their records stay')
  .argument('[pods...]', `${anyPod}, which may have its namespace before it: NAMESPACE/NAME`)
  .option('-a, --all', 'every pod, also those that were stopped, of which a failed stop may have left something')
  .addOption(new Option('--grace <seconds>', 'how long containers may take to end by themselves').argParser(wholeSeconds).default(10))
  .action(withContext(stopPods));
command('pull', 'pull an image, with a bar for each layer').argument('<image>', 'reference, such as alpine:3 or registry.example/app@sha256:…').action(withContext(pullImage));
command('import', 'load an OCI layout or docker-archive tar').argument('<file>', 'path on the node').option('--reference <name>', 'name for an image that brings none').action(withContext(importImage));
command(
  'trace',
  [
    'show where the start of a pod or a container spent its time: a row for each phase, with a bar at the time when it ran.',
    'Rows whose bars lie above each other ran in parallel; an indented row is part of the row above that is not indented, as its shim measured it.',
    'The row "other" is the time in which no phase ran. The total is the time from the first moment to the last.',
    'For a container that is CreateContainer and StartContainer, without what the client let pass between them.',
  ].join(' '),
)
  .summary('show where a start spent its time')
  .argument('<id>', 'id, id prefix or name of a pod, which shows its containers too, or of a container')
  .action(withContext(showTrace));
command('info', 'show versions, conditions, runtime handlers and the health of berthd').action(withContext(showInfo));
command('check', 'read a configuration file as berthd does and say what keeps it from starting', program.command('config').description('check files of settings'))
  .argument('[file]', 'path', defaultConfigPath)
  .action(async function (this: Command, file: string) {
    await checkConfig(file, globalOptions(this));
  });
program
  .command('completion')
  .description('print a completion script for a shell')
  .addArgument(new Argument('<shell>', 'shell').choices(shells))
  .action((shell: Shell) => {
    process.stdout.write(`${completionScript(shell, program)}\n`);
  });
