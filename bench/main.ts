/**
 * Measures this client against others: `npm run bench`, or `npm run bench -- null-32 memory` for the cases whose names begin so.
 * `--against FOLDER` runs another build of this client beside this one. A full run writes `results.json`, `results.svg` and the
 * tables in `README.md`; a part of it only prints.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CASES, GEARMAND, JOB_SERVER, against, serverOf, type Case } from './cases.js';
import { prepare } from './prepare.js';
import { measureQueued, type QueuedResult } from './queued.js';
import {
  describeMachine,
  type CodecResult,
  type Copies,
  type MemoryResult,
  type Million,
  type Report,
} from './report.js';
import { runCase } from './rounds.js';
import type { CaseResult } from './samples.js';
import { startNullServers } from './servers.js';
import { caseTable, markdown, summary } from './tables.js';

const BEGIN = '<!-- results: written by the bench -->';
const END = '<!-- end of results -->';

const file = (name: string): string => path.join(import.meta.dirname, name);

const { values, positionals } = parseArgs({ allowPositionals: true, options: { against: { type: 'string' } } });
const isChosen = (name: string): boolean =>
  positionals.length === 0 || positionals.some((start) => name.startsWith(start));

function chooseCases(found: { hasGearmand: boolean; hasLibgearman: boolean }): Case[] {
  const chosen = CASES.filter(({ name }) => isChosen(name));
  return chosen
    .map((each) => (values.against === undefined ? each : against(path.resolve(values.against, 'dist/index.js'), each)))
    .map((each) => ({
      ...each,
      contenders: each.contenders.filter(
        (contender) =>
          (found.hasLibgearman || contender.isProgram !== true) &&
          (found.hasGearmand || serverOf(contender, each) !== 'gearmand'),
      ),
    }))
    .filter(({ contenders }) => contenders.length > 0);
}

async function runCases(cases: readonly Case[]): Promise<CaseResult[]> {
  const results = [];
  for (const each of cases) {
    process.stderr.write(`${each.name} `);
    const result = await runCase(each, () => process.stderr.write('.'));
    process.stderr.write('\n');
    console.log(`\n${caseTable(result)}\n`);
    results.push(result);
  }
  return results;
}

/** Runs a script of the bench in a process of its own and reads the JSON that it prints. */
function ask(args: readonly string[]): unknown {
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

async function measureMemory(): Promise<MemoryResult> {
  const servers = await startNullServers(1);
  const measure = (what: string): unknown => ask(['--expose-gc', file('memory.js'), what, String(servers.ports[0])]);
  try {
    return {
      buffer: measure('buffer') as Copies,
      string: measure('string') as Copies,
      million: measure('million') as Million,
    };
  } finally {
    await servers.close();
  }
}

async function runQueued(hasGearmand: boolean): Promise<QueuedResult[]> {
  process.stderr.write('server-million ');
  const results = await measureQueued(hasGearmand ? [JOB_SERVER, GEARMAND] : [JOB_SERVER], () =>
    process.stderr.write('.'),
  );
  process.stderr.write('\n');
  return results;
}

async function write(report: Report): Promise<void> {
  // Only now: what it imports was not installed when this process began.
  const { draw } = await import('./plot.js');
  writeFileSync(file('results.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(file('results.svg'), await draw(report));
  const readme = readFileSync(file('README.md'), 'utf8');
  const [before = '', rest = ''] = readme.split(BEGIN);
  const [, after = ''] = rest.split(END);
  writeFileSync(file('README.md'), `${before}${BEGIN}\n\n${markdown(report)}\n\n${END}${after}`);
}

const found = prepare();
const where = describeMachine();
const cases = await runCases(chooseCases(found));
const queued = isChosen('server-million') ? await runQueued(found.hasGearmand) : [];
const memory = isChosen('memory') ? await measureMemory() : undefined;
const codec = isChosen('codec') ? (ask(['--import', 'tsx', file('codec.ts')]) as CodecResult[]) : [];
const report: Report = { ...where, cases, queued, memory, codec };
console.log(summary(report));
const isFull = positionals.length === 0 && values.against === undefined && found.hasGearmand && found.hasLibgearman;
if (isFull) await write(report);
