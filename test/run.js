// Runs the tests: `node test/run.js [part of a path ...]`. On Node 20 `node --test` given a folder runs nothing and still
// succeeds, so this lists the files itself, and fails on no files, no tests, skipped tests and files without a test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const integration = path.posix.join('test', 'integration') + '/';

/** @param {string[]} filters */
function listFiles(filters) {
  return readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .map((file) => path.posix.join('test', ...file.split(path.sep)))
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
}

/** @param {string} command */
function isInstalled(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/**
 * Runs the files, each in a process of its own.
 * @param {string[]} files
 * @returns {{ status: number | null, tap: string }} the exit code and what the tap reporter wrote
 */
function runFiles(files) {
  const folder = mkdtempSync(path.join(tmpdir(), 'gearman-client-test-'));
  const tapFile = path.join(folder, 'tap');
  try {
    const options = [
      ...['--import', 'tsx', '--test', '--test-concurrency=2', '--test-timeout=300000'],
      ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
      ...['--test-reporter=tap', `--test-reporter-destination=${tapFile}`],
    ];
    const { status, error } = spawnSync(process.execPath, [...options, ...files], { cwd: root, stdio: 'inherit' });
    if (error !== undefined) throw error;
    return { status, tap: readFileSync(tapFile, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * What is wrong with a run whose tests all passed.
 * @param {string} tap
 * @param {string[]} files
 */
function findGaps(tap, files) {
  // A file in which no test was registered is reported as one passed test that bears the file's name.
  const empty = files.filter((file) => tap.includes(`\n# Subtest: ${path.join(root, file)}\n`));
  const gaps = empty.map((file) => `${file} has no test`);
  if (!/^# tests [1-9]/m.test(tap)) gaps.push('no test was run');
  // Tests and whole suites alike; in a name, the reporter escapes the "#".
  for (const [, name, directive] of tap.matchAll(/^ *(?:not )?ok \d+ - (.*) # (SKIP|TODO)\b/gm)) {
    gaps.push(`"${name}" is marked ${directive}: here a test is either run or removed`);
  }
  return gaps;
}

function main() {
  const found = listFiles(process.argv.slice(2));
  const needGearmand = found.filter((file) => file.startsWith(integration));
  const leftOut = needGearmand.length > 0 && !isInstalled('gearmand') ? needGearmand : [];
  const files = found.filter((file) => !leftOut.includes(file));

  const failures = [];
  if (leftOut.length > 0 && process.env['REQUIRE_GEARMAND'] === '1')
    failures.push('REQUIRE_GEARMAND=1 and no gearmand');
  if (files.length === 0) {
    failures.push('no test file to run');
  } else {
    const { status, tap } = runFiles(files);
    failures.push(...(status === 0 ? findGaps(tap, files) : [`node --test exited with ${status}`]));
  }
  for (const file of leftOut) {
    console.log(`left out: ${file} (gearmand is not installed: apt-get install gearman-job-server)`);
  }
  for (const failure of failures) console.error(`failed: ${failure}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

main();
