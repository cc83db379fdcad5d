import { BerthError } from '../lib/errors.ts';
import type { ImageRuntimeConfig } from './image-config.ts';

/** MAX_ARG_STRLEN of Linux: an argument or a variable, with the zero at its end, is no longer. */
const maxStringBytes = 128 * 1024 - 1;
/** What execve(2) takes of arguments or variables, with a pointer to each, where the stack may have the usual 8 MiB. */
const maxVectorBytes = 2 * 1024 * 1024;
/** The time that an OCI runtime takes for variables grows with the square of their number; images have some dozens. */
const maxVariables = 10_000;
/** Each is a directory, a copy and a mount of every container. */
const maxVolumes = 1000;
/** Labels stay in memory as long as the image is there. */
const maxLabels = 10_000;
const maxLabelBytes = 4 * 1024 * 1024;
/** Every port there is. */
const maxPorts = 65_536;
const maxSteps = 10_000;

type Limited = ImageRuntimeConfig & { readonly ports: number; readonly steps: number };

const tooMuch = (what: string, has: string, limit: number): BerthError =>
  new BerthError('invalid', `${what} has ${has}, more than the limit of ${limit}`, { hint: 'no container could use it; build the image with less' });

function checkCount(count: number, { name, limit, what }: { readonly name: string; readonly limit: number; readonly what: string }): void {
  if (count > limit) throw tooMuch(what, `${count} ${name}`, limit);
}

function checkZero(string: string, name: string, what: string): void {
  if (string.includes('\0')) throw new BerthError('invalid', `${what} has ${name} with a zero byte, which the kernel takes for the end`);
}

/** Arguments and variables have to pass through execve(2). */
function checkVector(strings: readonly string[], name: string, what: string): void {
  let sum = 0;
  for (const string of strings) {
    const bytes = Buffer.byteLength(string);
    if (bytes > maxStringBytes) throw tooMuch(what, `${name} of ${bytes} bytes`, maxStringBytes);
    checkZero(string, name, what);
    sum += bytes + 1 + 8;
  }
  if (sum > maxVectorBytes) throw tooMuch(what, `${name} of ${sum} bytes altogether`, maxVectorBytes);
}

/** Fails `invalid` on a config that is larger in some respect than what Linux or a node can bear: nothing of it would run. */
export function checkConfigLimits(config: Limited, what: string): void {
  checkCount(config.env.length, { name: 'environment variables', limit: maxVariables, what });
  checkVector(config.env, 'environment variables', what);
  checkVector([...config.entrypoint, ...config.cmd], 'arguments', what);
  checkCount(config.volumes.length, { name: 'volumes', limit: maxVolumes, what });
  for (const volume of config.volumes) checkZero(volume, 'a volume', what);
  checkZero(config.workingDir, 'a working directory', what);
  checkCount(config.ports, { name: 'exposed ports', limit: maxPorts, what });
  checkCount(config.steps, { name: 'steps in its history', limit: maxSteps, what });
  const labels = Object.entries(config.labels);
  checkCount(labels.length, { name: 'labels', limit: maxLabels, what });
  checkCount(labels.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0), { name: 'bytes of labels', limit: maxLabelBytes, what });
}
