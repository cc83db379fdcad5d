import { spawn } from 'node:child_process';

/** Runs a program with our output and resolves with its code; 127 when it cannot be started. */
export async function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  return new Promise((resolve) => {
    child.on('error', (error) => {
      process.stdout.write(`${program}: ${error.message}\n`);
      resolve(127);
    });
    child.on('close', (code) => {
      resolve(code ?? 1);
    });
  });
}

/** One round of the suites in random order, files side by side: each has a node of its own. True when all passed. */
export async function suiteRound(seed: number, evidence: string): Promise<boolean> {
  const order = ['--sequence.shuffle.files', '--sequence.shuffle.tests', `--sequence.seed=${seed}`];
  return (await run('vitest', ['run', '--project', 'cri', ...order], { BERTH_CRI_EVIDENCE: evidence })) === 0;
}
