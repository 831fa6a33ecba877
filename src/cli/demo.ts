/** `gearman-client demo`: the whole loop, with nothing installed. Submits a job, works it and follows its progress. */
import { GearmanClient, GearmanWorker, type Job, type JobStatus } from '../index.js';
import type { Runtime } from '../runtime.js';
import { JobServer } from '../server/server.js';
import { readOptions, type Command, type Outside } from './command.js';

const TEXT = 'this is a test';
/** The worker takes so long for a letter, in milliseconds. */
const STEP_MS = 500;
/** Into a pipe goes a line so often: three steps. */
const LINE_MS = 3 * STEP_MS;
/** On a terminal the bar moves with each step. */
const FRAME_MS = 100;
const LONGEST_BAR = 2 * TEXT.length;
/** Of a terminal that does not say how wide it is, and of the narrowest that a bar is drawn on, in characters. */
const WIDTH = 80;
const LEAST_WIDTH = 24;

/** Times of one run, counted from its beginning, so that what is late once does not put off what follows. */
class Beat {
  readonly #runtime: Runtime;
  readonly #beginMs: number;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#beginMs = runtime.now();
  }

  /** Resolves so many milliseconds after the beginning. */
  async at(ms: number): Promise<void> {
    const left = this.#beginMs + ms - this.#runtime.now();
    if (left > 0) await new Promise<void>((resolve) => this.#runtime.setTimer(resolve, left));
  }
}

/** Reverses a text, a letter a step. */
async function reverse(job: Job, runtime: Runtime): Promise<string> {
  const letters = Array.from(job.text());
  const beat = new Beat(runtime);
  for (const index of letters.keys()) {
    // Half a step ahead: who looks every few steps looks between two.
    await beat.at((index + 0.5) * STEP_MS);
    job.sendStatus(index + 1, letters.length);
  }
  await beat.at((letters.length + 0.5) * STEP_MS);
  return letters.reverse().join('');
}

/** What there is to see of the job, for a pipe: the lines of the monitor in PHP's manual. */
function lineOf([, running, numerator, denominator]: JobStatus): string {
  return `Running: ${String(running)}, numerator: ${String(numerator)}, denominator: ${String(denominator)}\n`;
}

/** How far the job is, in words. */
function stageOf([known, running, numerator, denominator]: JobStatus): string {
  if (!known) return 'ended';
  return running ? `${String(numerator)} of ${String(denominator)}` : 'queued';
}

/** The same for a terminal: a bar, written over the last one. */
function barOf(status: JobStatus, columns: number): string {
  const [known, , numerator, denominator] = status;
  const length = Math.min(LONGEST_BAR, columns - 14);
  const full = known ? Math.round((numerator / Math.max(1, denominator)) * length) : length;
  return `\r\u001b[K  ${'█'.repeat(full)}${'░'.repeat(length - full)}  ${stageOf(status)}`;
}

/** Shows how the job is until it has ended. */
async function follow(client: GearmanClient, handle: string, outside: Outside): Promise<void> {
  const { out, runtime } = outside;
  const beat = new Beat(runtime);
  const isDrawn = isCanvas(outside);
  const everyMs = isDrawn ? FRAME_MS : LINE_MS;
  for (let count = 1; ; count++) {
    await beat.at(count * everyMs);
    const status = await client.jobStatus(handle);
    out.write(isDrawn ? barOf(status, widthOf(outside)) : lineOf(status));
    if (!status[0]) break;
  }
  tell(outside, '\n\n');
}

/** Of some terminals it is said to be 0. */
function widthOf({ out: { columns = 0 } }: Outside): number {
  return columns === 0 ? WIDTH : columns;
}

/** Whether there is room to draw. */
function isCanvas(outside: Outside): boolean {
  const { out, env } = outside;
  return out.isTTY === true && env['TERM'] !== 'dumb' && widthOf(outside) >= LEAST_WIDTH;
}

/** Says what happens around the bar; a pipe gets the facts alone. */
function tell(outside: Outside, text: string): void {
  if (isCanvas(outside)) outside.out.write(text);
}

async function play(servers: string, outside: Outside): Promise<void> {
  const { out, runtime } = outside;
  const [client, worker] = [new GearmanClient(servers, runtime), new GearmanWorker(servers, runtime)];
  let result = 'Another worker has done it, and a background job gives its result to nobody else.';
  worker.addFunction('reverse', async (job) => {
    const reversed = await reverse(job, runtime);
    if (job.text() === TEXT) result = reversed;
    return reversed;
  });
  try {
    // Before the worker starts, for this fails where no server can be reached.
    const handle = await client.doBackground('reverse', TEXT);
    tell(outside, `"${TEXT}" was submitted to the function reverse; the job handle is ${handle}.\n`);
    await worker.start();
    tell(outside, 'A worker reverses it, letter by letter.\n\n');
    await follow(client, handle, outside);
    out.write(`${result}\ndone!\n`);
  } finally {
    await Promise.all([client.close(), worker.close()]);
  }
}

/** With a job server of its own. */
async function playAlone(outside: Outside): Promise<void> {
  const server = new JobServer({}, outside.runtime);
  try {
    const { host, port } = (await server.listen({ port: 0 })).address;
    tell(outside, `A job server listens on ${host}:${String(port)}, for as long as this takes.\n`);
    await play(`${host}:${String(port)}`, outside);
  } finally {
    await server.close();
  }
}

/** The command `demo`. */
export const demo: Command = {
  summary: 'submits a job, works it and follows its progress',
  help: `Usage: gearman-client demo

Starts a job server and a worker in this process, submits a job in the background and follows its progress.
It uses the job servers in GEARMAN_SERVERS instead (host:port, several with commas between), where that is set.`,
  run: async (args, outside) => {
    readOptions(args, []);
    const { GEARMAN_SERVERS: servers = '' } = outside.env;
    if (servers === '') await playAlone(outside);
    else await play(servers, outside);
  },
};
