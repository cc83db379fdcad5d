import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const names = (program: Command): readonly string[] => program.commands.map((command) => command.name());

/** One line about a command, without what shells would take as theirs. */
const about = (command: Command): string => (command.summary() || command.description()).replaceAll("'", '').replaceAll(':', ' ');

const containers = '$(berth ps --all --quiet 2>/dev/null)';
const pods = '$(berth pods --quiet 2>/dev/null)';

function bash(program: Command): string {
  return `_berth() {
  local current=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names(program).join(' ')}" -- "$current"))
  else
    case \${COMP_WORDS[1]} in
      logs | exec) COMPREPLY=($(compgen -W "${containers}" -- "$current")) ;;
      stop) COMPREPLY=($(compgen -W "${pods}" -- "$current")) ;;
      trace) COMPREPLY=($(compgen -W "${pods} ${containers}" -- "$current")) ;;
      completion) COMPREPLY=($(compgen -W "${shells.join(' ')}" -- "$current")) ;;
      config) if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W check -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi ;;
      import) COMPREPLY=($(compgen -f -- "$current")) ;;
    esac
  fi
}
complete -F _berth berth`;
}

function zsh(program: Command): string {
  const entries = program.commands.map((command) => `    '${command.name()}:${about(command)}'`);
  return `#compdef berth
_berth() {
  local -a commands
  commands=(
${entries.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
  else
    case $words[2] in
      logs | exec) compadd -- ${containers} ;;
      stop) compadd -- ${pods} ;;
      trace) compadd -- ${pods} ${containers} ;;
      completion) compadd -- ${shells.join(' ')} ;;
      config) if (( CURRENT == 3 )); then compadd -- check; else _files; fi ;;
      import) _files ;;
    esac
  fi
}
# Read as a file of fpath, this is the body of the function itself.
if [[ $funcstack[1] == _berth ]]; then _berth "$@"; else compdef _berth berth; fi`;
}

function fish(program: Command): string {
  const lines = program.commands.map((command) => `complete -c berth -n __fish_use_subcommand -f -a ${command.name()} -d '${about(command)}'`);
  const words = (commands: string, list: string): string => `complete -c berth -n '__fish_seen_subcommand_from ${commands}' -f -a '${list}'`;
  const [podList, containerList] = [pods, containers].map((list) => list.slice(1)) as [string, string];
  return [...lines, words('logs exec trace', containerList), words('stop trace', podList), words('completion', shells.join(' ')), words('config', 'check'), words('images pods ps info pull', '')].join('\n');
}

/** The completion script for a shell, made from the commands as they are. */
export function completionScript(shell: Shell, program: Command): string {
  return { bash, zsh, fish }[shell](program);
}
