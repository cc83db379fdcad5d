import type { Command } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const names = (program: Command): readonly string[] => program.commands.map((command) => command.name());

function bash(program: Command): string {
  return `_berth() {
  local current=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names(program).join(' ')}" -- "$current"))
  else
    case \${COMP_WORDS[1]} in
      logs | exec | trace) COMPREPLY=($(compgen -W "$(berth ps --all --quiet 2>/dev/null)" -- "$current")) ;;
      stop) COMPREPLY=($(compgen -W "$(berth pods --quiet 2>/dev/null)" -- "$current")) ;;
      *) COMPREPLY=($(compgen -f -- "$current")) ;;
    esac
  fi
}
complete -F _berth berth`;
}

function zsh(program: Command): string {
  const entries = program.commands.map((command) => `    '${command.name()}:${command.description().replaceAll("'", '').replaceAll(':', ' ')}'`);
  return `#compdef berth
_berth() {
  local -a commands
  commands=(
${entries.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
  elif [[ $words[2] == (logs|exec|trace) ]]; then
    compadd -- $(berth ps --all --quiet 2>/dev/null)
  elif [[ $words[2] == stop ]]; then
    compadd -- $(berth pods --quiet 2>/dev/null)
  else
    _files
  fi
}
# Read as a file of fpath, this is the body of the function itself.
if [[ $funcstack[1] == _berth ]]; then _berth "$@"; else compdef _berth berth; fi`;
}

function fish(program: Command): string {
  const lines = program.commands.map((command) => `complete -c berth -n __fish_use_subcommand -f -a ${command.name()} -d '${command.description().replaceAll("'", '')}'`);
  return [...lines, "complete -c berth -n '__fish_seen_subcommand_from logs exec trace' -f -a '(berth ps --all --quiet 2>/dev/null)'", "complete -c berth -n '__fish_seen_subcommand_from stop' -f -a '(berth pods --quiet 2>/dev/null)'"].join('\n');
}

/** The completion script for a shell, made from the commands as they are. */
export function completionScript(shell: Shell, program: Command): string {
  return { bash, zsh, fish }[shell](program);
}
