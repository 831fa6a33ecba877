/** The results as Markdown, which is also what the terminal shows. */
import { reach } from './reach.js';
import type { Report } from './report.js';
import type { CaseResult, Figures } from './samples.js';

const MEGABYTE = 1e6;

const count = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
const fixed = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';

/** The first column holds names, the others figures, which are aligned to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? '';
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

type Column = readonly [title: string, cell: (figures: Figures) => string];

/** The columns of a case behind the names, for what is measured in it. */
function columnsOf({ subject, workloadBytes }: CaseResult): Column[] {
  const unit = subject === 'client' ? 'call' : 'job';
  const rate: Column = [`${unit}s/s`, (each) => count(each.callsPerSecond)];
  const cpu: Column = [`CPU, us per ${unit}`, (each) => fixed(each.cpuMicrosPerCall, 2)];
  const memory: Column = ['peak memory, MB', (each) => fixed(each.peakRssBytes / MEGABYTE, 0)];
  const bytes: Column = ['MB/s', (each) => count((each.callsPerSecond * workloadBytes) / MEGABYTE)];
  const toBareSocket: Column = ['× bare socket', (each) => fixed(each.toBareSocket, 3)];
  const toLibgearman: Column = ['× libgearman', (each) => fixed(each.toLibgearman, 3)];
  const toOther: Column = ['× fastest other', (each) => fixed(each.toOther, 2)];
  const toGearmand: Column = ['× gearmand', (each) => fixed(each.toGearmand, 3)];
  switch (subject) {
    case 'client':
      return [rate, bytes, cpu, memory, toBareSocket, toLibgearman];
    case 'worker':
      return [rate, cpu, memory, toLibgearman, toOther];
    case 'server':
      return [rate, cpu, toGearmand];
  }
}

/** One case. */
export function caseTable(result: CaseResult): string {
  const { title, figures, failures } = result;
  const columns = columnsOf(result);
  const head = ['', ...columns.map(([name]) => name)];
  const rows = figures.map((each) => [each.contender, ...columns.map(([, cell]) => cell(each))]);
  const notes = failures.map((failure) => `\nDid not run: ${failure}.`);
  return [`### ${title}\n`, table(head, rows), ...notes].join('\n');
}

function queuedTable({ queued }: Report): string[] {
  if (queued.length === 0) return [];
  const head = ['', 'memory, MB', 'first submits/s', 'last submits/s', 'jobs/s, ten thousand', 'jobs/s, a million'];
  const rows = queued.map((each) => [
    each.server,
    fixed(each.rssBytes / MEGABYTE, 0),
    ...[each.firstPerSecond, each.lastPerSecond, each.fewPerSecond, each.millionPerSecond].map(count),
  ]);
  return ['### Job servers: a million jobs queued\n\n' + table(head, rows)];
}

function memoryTable({ memory }: Report): string[] {
  if (memory === undefined) return [];
  const rows = [
    ['64 MiB in a Buffer, copies', fixed(memory.buffer.copies, 2)],
    ['the same by the resident set', fixed(memory.buffer.rssCopies, 2)],
    ['64 MiB in a string, copies', fixed(memory.string.copies, 2)],
    ['the same by the resident set', fixed(memory.string.rssCopies, 2)],
    ['a million calls at once, bytes each', fixed(memory.million.bytesEach, 0)],
    ['left when they are settled, MB', fixed(memory.million.leftBytes / MEGABYTE, 1)],
  ];
  return ['### Memory\n\n' + table(['', 'figure'], rows)];
}

function codecTable({ codec }: Report): string[] {
  if (codec.length === 0) return [];
  const rows = codec.map(({ name, nanoseconds }) => [name, fixed(nanoseconds, 0)]);
  return ['### The codec alone\n\n' + table(['', 'ns per packet'], rows)];
}

function reachTable(report: Report): string[] {
  const aims = reach(report);
  if (aims.length === 0) return [];
  const rows = aims.map(({ aim, measured, isReached }) => [aim, measured, isReached ? 'yes' : 'no']);
  return ['### Reach\n\n' + table(['aim', 'measured', 'reached'], rows)];
}

const where = ({ date, versions, machine }: Report): string => `Measured on ${date}: ${versions}; ${machine}.`;

/** All but the cases. */
export function summary(report: Report): string {
  return [
    where(report),
    ...queuedTable(report),
    ...memoryTable(report),
    ...codecTable(report),
    ...reachTable(report),
  ].join('\n\n');
}

/** Everything. */
export function markdown(report: Report): string {
  const cases = report.cases.map(caseTable);
  return [
    where(report),
    ...reachTable(report),
    ...cases,
    ...queuedTable(report),
    ...memoryTable(report),
    ...codecTable(report),
  ].join('\n\n');
}
