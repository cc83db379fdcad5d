import type { Routes } from '../handler.ts';
import { checkpointRoutes } from './checkpoints.ts';
import { containerRoutes } from './containers.ts';
import { imageRoutes } from './images.ts';
import { podRoutes } from './pods.ts';
import { runtimeRoutes } from './runtime.ts';
import { statsRoutes } from './stats.ts';
import { streamRoutes } from './streams.ts';

/** Every RPC of both services in exactly one table. */
export const tables: readonly Routes[] = [podRoutes, containerRoutes, imageRoutes, streamRoutes, statsRoutes, checkpointRoutes, runtimeRoutes];

/** RPCs that would not end by themselves; the door ends them when it begins to close. */
export const endless: ReadonlySet<string> = new Set<keyof typeof runtimeRoutes>(['GetContainerEvents']);
