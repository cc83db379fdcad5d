import { Command, Option, Argument } from 'commander';
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
  .addOption(new Option('-e, --endpoint <socket>', 'CRI socket of berthd').env('BERTH_ENDPOINT').default('/run/berth/berth.sock'))
  .option('--json', 'print JSON', false)
  .enablePositionalOptions();

/** Opens the sockets for one command and closes them whatever happens. */
function withContext<Args extends unknown[]>(work: (context: Context, ...args: Args) => Promise<void>): (...args: Args) => Promise<void> {
  return async (...args) => {
    const context = new Context(program.opts<GlobalOptions>());
    try {
      await work(context, ...args);
    } finally {
      context.close();
    }
  };
}

program.command('images').description('list images').action(withContext(listImages));
program.command('pods').description('list pods').option('-q, --quiet', 'ids only').action(withContext(listPods));
program.command('ps').description('list running containers').option('-a, --all', 'exited ones too').option('-q, --quiet', 'ids only').action(withContext(listContainers));
program.command('logs').description("print a container's log").argument('<container>', 'id, id prefix or name').option('-f, --follow', 'go on until it exits').action(withContext(showLogs));
program
  .command('exec')
  .description('run a program in a container')
  .argument('<container>', 'id, id prefix or name')
  .argument('<command...>', 'program and arguments')
  .option('--timeout <seconds>', 'end it after so long; 0: never', '0')
  .passThroughOptions()
  .action(withContext(execInContainer));
program
  .command('stop')
  .description('stop pods: their containers end, their network and mounts are released, their records stay')
  .argument('[pods...]', 'ids or id prefixes')
  .option('-a, --all', 'every pod')
  .option('--grace <seconds>', 'how long containers may take to end by themselves', '10')
  .action(withContext(stopPods));
program.command('pull').description('pull an image, with progress').argument('<image>', 'reference').action(withContext(pullImage));
program.command('import').description('load an OCI layout or docker-archive tar').argument('<file>', 'path on the node').option('--reference <name>', 'name for an image that brings none').action(withContext(importImage));
program.command('trace').description('show where a start spent its time').argument('<id>', 'pod or container').action(withContext(showTrace));
program.command('info').description('versions, conditions and health').action(withContext(showInfo));
program
  .command('config')
  .description('work with the configuration')
  .command('check')
  .description('read a configuration file and say what is wrong with it')
  .argument('[file]', 'path', '/etc/berth/config.toml')
  .action(checkConfig);
program
  .command('completion')
  .description('print a completion script')
  .addArgument(new Argument('<shell>', 'shell').choices(shells))
  .action((shell: Shell) => {
    process.stdout.write(`${completionScript(shell, program)}\n`);
  });
