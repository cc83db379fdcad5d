import { BerthError } from '../../lib/errors.ts';

/** How a command ended, in the form of Kubernetes' metav1.Status that clients read from the error stream. */
export interface CommandStatus {
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: 'NonZeroExitCode' | 'InternalError';
  readonly details?: { readonly causes: readonly { readonly reason: 'ExitCode'; readonly message: string }[] };
  readonly code?: number;
}

export const success: CommandStatus = { metadata: {}, status: 'Success' };

/** The status of a process that ended by itself. */
export function exitStatus(code: number | undefined): CommandStatus {
  if (code === 0) return success;
  if (code === undefined) return failure(new BerthError('internal', 'the exit code of the command is not known'));
  const message = `command terminated with non-zero exit code: exit status ${code}`;
  return { metadata: {}, status: 'Failure', message, reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: String(code) }] } };
}

/** The status of a command that could not run. Of what is no BerthError the client sees no detail. */
export function failure(error: unknown): CommandStatus {
  const detail = error instanceof BerthError ? error.text : "berthd failed; its log has the cause";
  return { metadata: {}, status: 'Failure', message: `Internal error occurred: ${detail}`, reason: 'InternalError', code: 500 };
}

/** What goes on the error stream: JSON since version 4 of the protocol; before that the message alone, and nothing of a success. */
export function encodeStatus(status: CommandStatus, asJson: boolean): string {
  return asJson ? JSON.stringify(status) : (status.message ?? '');
}
