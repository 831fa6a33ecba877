/** The commands of the text protocol, with gearmand's answers to the letter. */
import { encodeLine, encodeList } from '../protocol/text.js';
import { PRIORITY, type JobFunction } from './job.js';
import { find, leadingNumber, tellFailed, type Desk } from './requests.js';
import type { Session } from './session.js';

/** The gearmand whose behaviour this is, and who shows it. */
const VERSION = '2.0.0+gearman-client';

const OK = encodeLine('OK');

/** What commands work on. */
export interface CommandDesk extends Desk {
  readonly sessions: Iterable<Session>;
}

type Command = (desk: CommandDesk, words: readonly string[]) => Buffer;

/** Answers a line. Keywords are taken in any case. */
export function answerLine(desk: CommandDesk, words: readonly string[]): Buffer {
  const [name = ''] = words;
  const command = COMMANDS.get(name.toLowerCase());
  return command === undefined ? unknown(name) : command(desk, words);
}

function unknown(name: string): Buffer {
  return encodeLine(`ERR UNKNOWN_COMMAND Unknown+server+command${name}`);
}

function incomplete(name: string): Buffer {
  return encodeLine(`ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+${name}`);
}

const isWord = (word: string | undefined, expected: string): boolean => word?.toLowerCase() === expected;

const workers: Command = ({ sessions }) =>
  encodeList(
    Array.from(sessions, ({ number, host, id, worker }) => {
      const names = worker?.abilities.map(({ fn }) => ` ${fn.name}`) ?? [];
      return `${String(number)} ${host} ${id} :${names.join('')}`;
    }),
  );

const status: Command = ({ queue }) =>
  encodeList(Array.from(queue.functions, (fn) => [fn.name, fn.total, fn.running, fn.workers].join('\t')));

const priorityStatus: Command = ({ queue }) =>
  encodeList(
    Array.from(queue.functions, (fn) => {
      const queued = Object.values(PRIORITY).map((priority) => fn.queued(priority));
      return [fn.name, ...queued, fn.workers].join('\t');
    }),
  );

const cancel: Command = (desk, [name = '', what, handle, ...more]) => {
  if (handle === undefined) return unknown(name);
  if (!isWord(what, 'job') || more.length > 0) return encodeLine('ERR UNKNOWN_ERROR');
  const job = find(desk, handle);
  if (job === undefined) return encodeLine('ERR UNKNOWN_JOB');
  if (job.listeners !== undefined) tellFailed(desk, job, job.listeners);
  desk.queue.cancel(job);
  return OK;
};

const show: Command = (desk, words) => {
  const [name = '', ...rest] = words;
  if (rest.length === 0) return unknown(name);
  if (rest.length === 1 && isWord(rest[0], 'jobs')) return showJobs(desk);
  const isUnique = rest.length === 2 && isWord(rest[0], 'unique') && isWord(rest[1], 'jobs');
  if (!isUnique) return encodeLine('ERR UNKNOWN_SHOW_ARGUMENTS');
  return encodeList(Array.from(desk.queue.jobs, (job) => job.unique));
};

function showJobs({ queue, handles }: CommandDesk): Buffer {
  return encodeList(
    Array.from(queue.jobs, (job) => {
      const flags = [!job.isWanted, job.isBackground && !job.isCancelled].map(Number);
      return [handles.of(job.number), job.retries, ...flags].join('\t');
    }),
  );
}

const create: Command = ({ queue }, words) => {
  const [name = '', what, fn] = words;
  if (words.length !== 3 || !isWord(what, 'function') || fn === undefined) return incomplete(name);
  queue.functionNamed(fn);
  return OK;
};

const drop: Command = (desk, words) => {
  const [name = '', what, wanted] = words;
  if (words.length !== 3 || !isWord(what, 'function') || wanted === undefined) return incomplete(name);
  const fn = desk.queue.findFunction(wanted) ?? findInAnyCase(desk, wanted);
  if (fn === undefined) return encodeLine('ERR function not found');
  if (fn.workers > 0 || fn.running > 0) {
    return encodeLine('ERR there are still connected workers or executing clients');
  }
  desk.queue.drop(fn);
  return OK;
};

function findInAnyCase({ queue }: CommandDesk, name: string): JobFunction | undefined {
  for (const fn of queue.functions) if (isWord(fn.name, name.toLowerCase())) return fn;
  return undefined;
}

/** One number is for all priorities; what is left out, below 1 or no number is no limit. */
const maxQueue: Command = ({ queue }, [name = '', wanted, ...numbers]) => {
  if (wanted === undefined) return incomplete(name);
  const limits = numbers.map((text) => Math.max(0, leadingNumber(text)));
  const [high = 0, normal = 0, low = 0] = limits;
  const fn = queue.findFunction(wanted);
  if (fn !== undefined) fn.limits = limits.length <= 1 ? [high, high, high] : [high, normal, low];
  return OK;
};

const COMMANDS = new Map<string, Command>([
  ['workers', workers],
  ['status', status],
  ['prioritystatus', priorityStatus],
  ['cancel', cancel],
  ['show', show],
  ['create', create],
  ['drop', drop],
  ['maxqueue', maxQueue],
  ['getpid', () => encodeLine(`OK ${String(process.pid)}`, '\n')],
  ['verbose', () => encodeLine('OK ERROR', '\n')],
  ['version', () => encodeLine(`OK ${VERSION}`, '\n')],
]);
