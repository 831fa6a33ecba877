/** Scripts in processes of their own. */
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const entry = new URL('../../src/index.ts', import.meta.url).href;

/** What a process wrote. */
export interface Printed {
  /** Lines of its output, and its exit code last. */
  readonly lines: string[];
  readonly stderr: string;
}

/** Runs a script with the package's classes and `print` at hand, until it ends by itself. */
export async function runScript(t: TestContext, script: string, env: Record<string, string> = {}): Promise<Printed> {
  const source = `
    import { GearmanClient, GearmanWorker } from ${JSON.stringify(entry)};
    const print = (value) => console.log(String(value));
    ${script}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', DEBUG: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { lines: [...stdout.split('\n').filter((line) => line !== ''), `exit ${String(code)}`], stderr };
}
