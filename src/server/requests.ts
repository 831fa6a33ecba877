/** What each packet asks of the job server, and what it answers: gearmand's answers and texts. */
import type { Packet } from '../protocol/incoming.js';
import { ARGUMENT_BYTES, TYPE } from '../protocol/packet.js';
import { gearmanError } from '../errors.js';
import type { Handles } from './handles.js';
import { PRIORITY, type Job, type Listener, type Listeners, type Priority } from './job.js';
import type { Queue } from './queue.js';
import type { Session } from './session.js';

/** What requests work on. */
export interface Desk {
  readonly queue: Queue;
  readonly handles: Handles;
}

type Request = (desk: Desk, session: Session, packet: Packet) => void;

const MAX_UNIQUE_BYTES = 64;
const MAX_HANDLE_BYTES = 63;
const MAX_ID_BYTES = 127;
/** The longest number that CAN_DO_TIMEOUT takes. */
const MAX_DIGITS = 20;
/** gearmand rounds a shorter time up. */
const SHORTEST_TIMEOUT_MS = 1000;

/** Shorter workloads are kept as strings, which take no view and no memory beside. */
const KEPT_AS_STRING = 4096;

const NOT_FOUND = 'Job given in work result not found';
const NOT_FOUND_DATA = 'Job does not exist on server';
const NOT_FOUND_EXCEPTION = 'An exception was received for a job that does not exist';

/** Carries a request out. What breaks the protocol so that gearmand closes the connection is thrown. */
export function carryOut(desk: Desk, session: Session, packet: Packet): void {
  const request = REQUESTS[packet.type];
  if (request !== undefined) request(desk, session, packet);
  else if (packet.type === TYPE.FOREIGN) session.sendError('INVALID_MAGIC', 'Request magic expected');
  else session.sendError('INVALID_COMMAND', 'Command not expected');
}

/** WORK_FAIL to all that waited for a job. */
export function tellFailed({ handles }: Desk, job: Job, listeners: Listeners): void {
  tell(listeners, (listener) => {
    listener.send(TYPE.WORK_FAIL, [handles.of(job.number)]);
  });
}

/** Once for each submission that waits. */
function tell(listeners: Listeners | undefined, send: (listener: Listener) => void): void {
  if (listeners === undefined) return;
  for (const [listener, times] of listeners) for (let i = 0; i < times; i++) send(listener);
}

/** What a submission is, beside its arguments. */
interface Manner {
  readonly priority: Priority;
  readonly isBackground: boolean;
  readonly reducer: string;
  readonly epoch: number;
}

const submitAs = (priority: Priority, isBackground: boolean): Request => {
  const manner: Manner = { priority, isBackground, reducer: '', epoch: 0 };
  return (desk, session, packet) => {
    submit(desk, session, packet, manner);
  };
};

const submitReduced =
  (isBackground: boolean): Request =>
  (desk, session, packet) => {
    const reducer = packet.latin1(2);
    submit(desk, session, packet, { priority: PRIORITY.normal, isBackground, reducer, epoch: 0 });
  };

const submitEpoch: Request = (desk, session, packet) => {
  const epoch = leadingNumber(packet.latin1(2));
  submit(desk, session, packet, { priority: PRIORITY.normal, isBackground: true, reducer: '', epoch });
};

function submit({ queue, handles }: Desk, session: Session, packet: Packet, manner: Manner): void {
  const { priority, isBackground, reducer, epoch } = manner;
  const functionName = functionOf(packet);
  const unique = packet.latin1(1);
  if (unique.length > MAX_UNIQUE_BYTES || reducer.length > MAX_UNIQUE_BYTES) {
    session.sendError('ARGUMENT_TOO_LARGE', 'Unique value too large');
    return;
  }
  const listener = isBackground ? undefined : session;
  // Field by field: with an object that is spread, a submission costs a tenth more.
  const job = queue.submit({ functionName, unique, workload: keep(packet), priority, reducer, epoch, listener });
  if (job === undefined) session.sendError('QUEUE_ERROR', 'Job queue is full');
  else session.send(TYPE.JOB_CREATED, [handles.of(job.number)]);
}

function functionOf(packet: Packet): string {
  const name = packet.latin1(0);
  if (name.length < ARGUMENT_BYTES) return name;
  throw gearmanError('GEARMAN_DATA_TOO_LARGE', `A function name has over ${String(ARGUMENT_BYTES)} bytes.`);
}

/** The workload, without the rest of the chunk in which it came. */
function keep(packet: Packet): string | Buffer {
  if (packet.dataLength < KEPT_AS_STRING) return packet.latin1Data;
  const { data } = packet;
  return data.length * 2 < data.buffer.byteLength ? Buffer.from(data) : data;
}

const getStatus: Request = (desk, session, packet) => {
  const handle = packet.latin1(0);
  const job = find(desk, handle);
  session.send(TYPE.STATUS_RES, [handle, ...statusOf(job)]);
};

const getStatusUnique: Request = ({ queue }, session, packet) => {
  const unique = untilNul(packet.latin1(0));
  const job = queue.findUnique(unique);
  session.send(TYPE.STATUS_RES_UNIQUE, [unique, ...statusOf(job), String(job?.waitingClients ?? 0)]);
};

function statusOf(job: Job | undefined): string[] {
  if (job === undefined) return ['0', '0', '0', '0'];
  return ['1', job.holder === undefined ? '0' : '1', String(job.progress.numerator), String(job.progress.denominator)];
}

/** The job of a handle, unless it is gone or of another server. */
export function find({ queue, handles }: Desk, handle: string): Job | undefined {
  const number = handles.numberOf(handle);
  return number === undefined ? undefined : queue.jobs.get(number);
}

const setOption: Request = (_desk, session, packet) => {
  const option = packet.latin1(0);
  if (untilNul(option).toLowerCase() !== 'exceptions') {
    session.sendError('UNKNOWN_OPTION', 'Server does not recognize given option');
    return;
  }
  session.hasExceptions = true;
  session.send(TYPE.OPTION_RES, [option]);
};

const echo: Request = (_desk, session, packet) => {
  session.send(TYPE.ECHO_RES, [packet.data]);
};

const canDo: Request = ({ queue }, session, packet) => {
  session.becomeWorker().canDo({ fn: queue.functionNamed(functionOf(packet)), timeoutMs: 0 });
};

const canDoTimeout: Request = ({ queue }, session, packet) => {
  const text = packet.latin1(1);
  if (text.length > MAX_DIGITS)
    throw gearmanError('GEARMAN_INVALID_PACKET', 'The timeout of CAN_DO_TIMEOUT is too long.');
  const ms = leadingNumber(text);
  const timeoutMs = ms > 0 ? Math.max(SHORTEST_TIMEOUT_MS, ms) : 0;
  session.becomeWorker().canDo({ fn: queue.functionNamed(functionOf(packet)), timeoutMs });
};

const cantDo: Request = ({ queue }, session, packet) => {
  const fn = queue.findFunction(packet.latin1(0));
  if (fn === undefined || session.worker === undefined) return;
  session.worker.cantDo(fn);
  queue.takeAway(session.worker, fn);
};

const resetAbilities: Request = ({ queue }, session) => {
  if (session.worker === undefined) return;
  session.worker.cantDo();
  queue.takeAway(session.worker);
};

const preSleep: Request = ({ queue }, session) => {
  const worker = session.becomeWorker();
  if (queue.hasJobFor(worker)) session.send(TYPE.NOOP, []);
  else worker.sleep();
};

const setClientId: Request = (_desk, session, packet) => {
  // Of the bytes, not of the text: a part of a text keeps all of it.
  session.id = untilNul(packet.bytes(0).toString('latin1', 0, MAX_ID_BYTES));
};

const grab: Request = ({ queue, handles }, session, { type }) => {
  const job = queue.grab(session.becomeWorker());
  if (job === undefined) {
    session.send(TYPE.NO_JOB, []);
    return;
  }
  const { fn, unique, reducer, workload } = job;
  const handle = handles.of(job.number);
  if (type === TYPE.GRAB_JOB) session.send(TYPE.JOB_ASSIGN, [handle, fn.name, workload]);
  else if (type === TYPE.GRAB_JOB_UNIQ || reducer === '')
    session.send(TYPE.JOB_ASSIGN_UNIQ, [handle, fn.name, unique, workload]);
  else session.send(TYPE.JOB_ASSIGN_ALL, [handle, fn.name, unique, reducer, workload]);
};

/** The job that the peer runs; an ERROR where it does not. */
function findOwn(desk: Desk, session: Session, packet: Packet, notFound: string): Job | undefined {
  const job = find(desk, packet.latin1(0));
  if (job?.holder !== undefined && job.holder === session.worker) return job;
  session.sendError('JOB_NOT_FOUND', notFound);
  return undefined;
}

const workStatus: Request = (desk, session, packet) => {
  const job = findOwn(desk, session, packet, NOT_FOUND);
  if (job === undefined) return;
  const [numerator, denominator] = [packet.latin1(1), packet.latin1(2)];
  // As a C program reads them into 32 bits.
  job.progress = { numerator: leadingNumber(numerator) >>> 0, denominator: leadingNumber(denominator) >>> 0 };
  tell(job.listeners, (listener) => {
    listener.send(TYPE.WORK_STATUS, [packet.latin1(0), numerator, denominator]);
  });
};

const workData: Request = (desk, session, packet) => {
  const job = findOwn(desk, session, packet, NOT_FOUND_DATA);
  if (job !== undefined) passOn(job.listeners, packet);
};

function passOn(listeners: Listeners | undefined, packet: Packet): void {
  tell(listeners, (listener) => {
    listener.send(packet.type, [packet.latin1(0), packet.data]);
  });
}

const workComplete: Request = ({ queue, handles }, session, packet) => {
  const job = findOwn({ queue, handles }, session, packet, NOT_FOUND);
  if (job === undefined) return;
  passOn(queue.end(job), packet);
};

const workException: Request = (desk, session, packet) => {
  const job = findOwn(desk, session, packet, NOT_FOUND_EXCEPTION);
  if (job === undefined) return;
  tell(desk.queue.end(job), (listener) => {
    if (listener.hasExceptions) listener.send(TYPE.WORK_EXCEPTION, [packet.latin1(0), packet.data]);
    else listener.send(TYPE.WORK_FAIL, [packet.latin1(0)]);
  });
};

const workFail: Request = (desk, session, packet) => {
  if (packet.length > MAX_HANDLE_BYTES) {
    const text = 'Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf';
    session.sendError('ARGUMENT_TOO_LARGE', text);
    return;
  }
  const job = findOwn(desk, session, packet, NOT_FOUND);
  if (job === undefined) return;
  tellFailed(desk, job, desk.queue.end(job));
};

/** As a C program reads a string: what stands behind a NUL is not seen. */
function untilNul(text: string): string {
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

/** As `atoi` reads: the whole number at the beginning, 0 without one. */
export function leadingNumber(text: string): number {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? 0 : number;
}

const foreground = (priority: Priority): Request => submitAs(priority, false);
const background = (priority: Priority): Request => submitAs(priority, true);

/** By type number. An array: it is looked into for each packet. */
const REQUESTS: (Request | undefined)[] = [];
REQUESTS[TYPE.CAN_DO] = canDo;
REQUESTS[TYPE.CANT_DO] = cantDo;
REQUESTS[TYPE.RESET_ABILITIES] = resetAbilities;
REQUESTS[TYPE.PRE_SLEEP] = preSleep;
REQUESTS[TYPE.SUBMIT_JOB] = foreground(PRIORITY.normal);
REQUESTS[TYPE.GRAB_JOB] = grab;
REQUESTS[TYPE.WORK_STATUS] = workStatus;
REQUESTS[TYPE.WORK_COMPLETE] = workComplete;
REQUESTS[TYPE.WORK_FAIL] = workFail;
REQUESTS[TYPE.GET_STATUS] = getStatus;
REQUESTS[TYPE.ECHO_REQ] = echo;
REQUESTS[TYPE.SUBMIT_JOB_BG] = background(PRIORITY.normal);
REQUESTS[TYPE.SUBMIT_JOB_HIGH] = foreground(PRIORITY.high);
REQUESTS[TYPE.SET_CLIENT_ID] = setClientId;
REQUESTS[TYPE.CAN_DO_TIMEOUT] = canDoTimeout;
REQUESTS[TYPE.WORK_EXCEPTION] = workException;
REQUESTS[TYPE.OPTION_REQ] = setOption;
REQUESTS[TYPE.WORK_DATA] = workData;
REQUESTS[TYPE.WORK_WARNING] = workData;
REQUESTS[TYPE.GRAB_JOB_UNIQ] = grab;
REQUESTS[TYPE.SUBMIT_JOB_HIGH_BG] = background(PRIORITY.high);
REQUESTS[TYPE.SUBMIT_JOB_LOW] = foreground(PRIORITY.low);
REQUESTS[TYPE.SUBMIT_JOB_LOW_BG] = background(PRIORITY.low);
REQUESTS[TYPE.SUBMIT_JOB_EPOCH] = submitEpoch;
REQUESTS[TYPE.SUBMIT_REDUCE_JOB] = submitReduced(false);
REQUESTS[TYPE.SUBMIT_REDUCE_JOB_BACKGROUND] = submitReduced(true);
REQUESTS[TYPE.GRAB_JOB_ALL] = grab;
REQUESTS[TYPE.GET_STATUS_UNIQUE] = getStatusUnique;
