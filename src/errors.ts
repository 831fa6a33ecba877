/** Every `code` a {@link GearmanError} can carry, and what it means. Codes never change their meaning; match them, not messages. */
export const ERROR_CODES = {
  GEARMAN_INVALID_ARGUMENT: 'A value that was passed in cannot be used; nothing was sent. Fix the call.',
  GEARMAN_ARGUMENT_TOO_LARGE: 'A name, ID or workload that was passed in is too long; nothing was sent. Fix the call.',
  GEARMAN_NO_SERVERS: 'Every job server was removed from the pool. Add one.',
  GEARMAN_COULD_NOT_CONNECT: 'No job server that could do it was reached. See `maybeSubmitted`; try again later.',
  GEARMAN_LOST_CONNECTION: 'The connection died before the answer came. See `maybeSubmitted`.',
  GEARMAN_TIMEOUT: 'No answer came in time. See `maybeSubmitted`.',
  GEARMAN_SERVER_ERROR: 'The job server refused the request. See `serverCode`.',
  GEARMAN_AMBIGUOUS_HANDLE: 'Several job servers know this handle or unique ID. Name the server, or ask with the id.',
  GEARMAN_ABORTED: "The call's signal was aborted. See `maybeSubmitted`.",
  GEARMAN_SHUTDOWN: 'Closed or destroyed; or a job server that does not listen.',
  GEARMAN_INVALID_MAGIC: 'The peer sent bytes that are no Gearman packet. Is this port a job server?',
  GEARMAN_INVALID_COMMAND: 'The peer sent a packet type that does not exist.',
  GEARMAN_INVALID_PACKET: 'The peer sent a packet whose body does not hold the arguments of its type.',
  GEARMAN_UNEXPECTED_PACKET: 'The peer sent an answer that does not fit the request.',
  GEARMAN_DATA_TOO_LARGE: 'The peer sent a packet larger than `maxPacketSize`, or too much that nobody asked for.',
} as const;

/** One of the keys of {@link ERROR_CODES}; libgearman's names where it has one. */
export type GearmanErrorCode = keyof typeof ERROR_CODES;

/** What an error knows about the call that it rejects. Only what is known is set. */
export interface GearmanErrorDetails {
  /** Name of the job server that is meant. */
  server?: string | undefined;
  /** Function name of the job, as it was passed in. */
  function?: string | undefined;
  /** Unique ID of the job, given or generated. */
  unique?: string | undefined;
  /** Job handle that was asked for. */
  handle?: string | undefined;
  /** Whether the job may be on a job server all the same: `true` once a byte of it was handed to a socket. */
  maybeSubmitted?: boolean | undefined;
  /** The first argument of the server's ERROR packet, as `QUEUE_ERROR`. */
  serverCode?: string | undefined;
  /** Names of the job servers that could not be asked. */
  unreachable?: readonly string[] | undefined;
  /** What lies behind this error: the system's error, or an `AggregateError` with one error a job server. */
  cause?: unknown;
}

/** Base of all errors of this package. Match `code`; the subclasses say what the caller can do. */
export class GearmanError extends Error {
  /** What went wrong, stable over versions: see {@link ERROR_CODES}. */
  readonly code: GearmanErrorCode;
  /** Name of the job server that is meant, where one is. */
  declare readonly server?: string;
  /** Function name of the job, as it was passed in. */
  declare readonly function?: string;
  /** Unique ID of the job, given or generated: with it the job can be looked up or submitted again. */
  declare readonly unique?: string;
  /** Job handle that was asked for. */
  declare readonly handle?: string;
  /** Whether the job may be on a job server all the same. */
  declare readonly maybeSubmitted?: boolean;
  /** The code of the server's ERROR packet, as `QUEUE_ERROR`. */
  declare readonly serverCode?: string;
  /** Names of the job servers that could not be asked (`GEARMAN_COULD_NOT_CONNECT`). */
  declare readonly unreachable?: readonly string[];

  constructor(code: GearmanErrorCode, message: string, { cause, ...details }: GearmanErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    // Only what is known: a printed error is short, and `'server' in error` means something.
    for (const [key, value] of Object.entries(details)) {
      if (value !== undefined) Object.defineProperty(this, key, { value, enumerable: true });
    }
  }

  /** The name of the class; `AbortError` for an aborted call, as the platform has it. */
  override get name(): string {
    return this.code === 'GEARMAN_ABORTED' ? 'AbortError' : 'GearmanError';
  }

  /** What a logger that serializes gets: name, code, message, the known details, and the message of the cause. */
  toJSON(): Record<string, unknown> {
    const { name, message, cause } = this;
    return {
      name,
      message,
      ...Object.fromEntries(Object.entries(this)),
      ...(cause === undefined ? {} : { cause: describe(cause) }),
    };
  }
}

/** The call was wrong; nothing was sent: `GEARMAN_INVALID_ARGUMENT`, `GEARMAN_ARGUMENT_TOO_LARGE`. */
export class GearmanArgumentError extends GearmanError {
  /** `GearmanArgumentError`. */
  override get name(): string {
    return 'GearmanArgumentError';
  }
}

/** Servers or network were at fault, look at `maybeSubmitted`: `GEARMAN_COULD_NOT_CONNECT`, `_LOST_CONNECTION`, `_TIMEOUT`. */
export class GearmanConnectionError extends GearmanError {
  /** `GearmanConnectionError`. */
  override get name(): string {
    return 'GearmanConnectionError';
  }
}

/** The job server understood and refused: `GEARMAN_SERVER_ERROR`. */
export class GearmanServerError extends GearmanError {
  /** `GearmanServerError`. */
  override get name(): string {
    return 'GearmanServerError';
  }
}

/** The peer broke the protocol. Calls see it as the `cause` of `GEARMAN_LOST_CONNECTION`. */
export class GearmanProtocolError extends GearmanError {
  /** `GearmanProtocolError`. */
  override get name(): string {
    return 'GearmanProtocolError';
  }
}

/** The subclass of each code; the base class where there is none. */
const CLASSES: Readonly<Partial<Record<GearmanErrorCode, typeof GearmanError>>> = {
  GEARMAN_INVALID_ARGUMENT: GearmanArgumentError,
  GEARMAN_ARGUMENT_TOO_LARGE: GearmanArgumentError,
  GEARMAN_COULD_NOT_CONNECT: GearmanConnectionError,
  GEARMAN_LOST_CONNECTION: GearmanConnectionError,
  GEARMAN_TIMEOUT: GearmanConnectionError,
  GEARMAN_SERVER_ERROR: GearmanServerError,
  GEARMAN_INVALID_MAGIC: GearmanProtocolError,
  GEARMAN_INVALID_COMMAND: GearmanProtocolError,
  GEARMAN_INVALID_PACKET: GearmanProtocolError,
  GEARMAN_UNEXPECTED_PACKET: GearmanProtocolError,
  GEARMAN_DATA_TOO_LARGE: GearmanProtocolError,
};

/** The error of that code, of its class. */
export function gearmanError(code: GearmanErrorCode, message: string, details?: GearmanErrorDetails): GearmanError {
  const error = new (CLASSES[code] ?? GearmanError)(code, message, details);
  // A stack has ten lines; this one would take the place of one of the caller's.
  Error.captureStackTrace(error, gearmanError);
  return error;
}

/** `GEARMAN_INVALID_ARGUMENT`: every check of what a caller passes throws this. */
export function invalidArgument(message: string, details?: GearmanErrorDetails): GearmanError {
  return gearmanError('GEARMAN_INVALID_ARGUMENT', message, details);
}

/** One line for any thrown value; lists the parts of an AggregateError, whose own message is empty when Node makes it. */
export function describe(error: unknown): string {
  if (error instanceof AggregateError) {
    const parts = error.errors.map(describe).join('; ');
    return error.message === '' ? parts : `${error.message}: ${parts}`;
  }
  return error instanceof Error ? error.message : textOf(error);
}

/** The same thrown value as an Error. */
export function asError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(textOf(thrown));
}

/** Of some values one cannot even ask what they are. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

/** Some values have no text, or throw when they are asked for it. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return `a value of type ${typeof thrown}`;
  }
}

/**
 * What to resolve the promise of a call with so that it rejects, with a stack that ends in the caller's line instead of our socket
 * handlers. V8 finds the line by following the promises that wait for this one, so that success costs nothing. The first pause
 * lets the caller resolve with the promise of this function, the second lets that take effect.
 */
export async function failAtCaller(error: Error): Promise<never> {
  await Promise.resolve();
  await Promise.resolve();
  Error.captureStackTrace(error, failAtCaller);
  throw error;
}
