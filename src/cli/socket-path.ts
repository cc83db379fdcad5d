import { resolve } from 'node:path';

/** The path of a socket that was given as a path, relative or not, or as `unix://PATH`. */
export function socketPath(endpoint: string): string {
  const path = endpoint.replace(/^unix:(?:\/\/(?=\/)|(?=\/(?!\/)))/, '');
  if (path === '') throw new Error('--endpoint is empty: give the path of berthd\'s CRI socket, such as /run/berth/berth.sock');
  if (/^[a-z]+:/.test(path)) throw new Error(`--endpoint "${endpoint}" is no unix socket, which is all that berthd listens on; give its path, such as /run/berth/berth.sock`);
  return resolve(path);
}
