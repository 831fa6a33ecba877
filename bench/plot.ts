/**
 * The plot: how many jobs per second each client submits, each worker does and each job server takes, with a scale on which ten times as
 * many are always one step.
 */
import { View, parse } from 'vega';
import { compile } from 'vega-lite';
import { JOB_SERVER } from './cases.js';
import type { Report } from './report.js';

const SHOWN = [
  'null-32',
  'gearmand-32',
  'null-32-one',
  'gearmand-32-one',
  'worker-null',
  'worker-gearmand',
  'server-background',
  'server-foreground',
];

const COLOR = {
  field: 'isOurs',
  type: 'nominal',
  scale: { domain: [true, false], range: ['#c2410c', '#475569'] },
  legend: null,
};
const LABEL = { type: 'text', align: 'left', dx: 8, fontSize: 10 };

/** One case: a line for each contender, in the order of the tables. */
function viewOf({ title, figures }: Report['cases'][number]): object {
  const values = figures.map(({ contender, callsPerSecond }) => ({
    contender,
    callsPerSecond,
    isOurs: contender.startsWith('gearman-client') || contender === JOB_SERVER,
  }));
  const sort = figures.map(({ contender }) => contender);
  const y = { field: 'contender', type: 'nominal', sort, title: null, axis: { grid: true } };
  const x = { field: 'callsPerSecond', type: 'quantitative', title: 'jobs per second', scale: { type: 'log' } };
  const text = { field: 'callsPerSecond', format: '.3s' };
  return {
    title,
    width: 340,
    data: { values },
    layer: [
      { mark: { type: 'point', filled: true, size: 70 }, encoding: { x, y, color: COLOR } },
      { mark: LABEL, encoding: { x, y, color: COLOR, text } },
    ],
  };
}

/** Draws the report as SVG. */
export async function draw({ cases }: Report): Promise<string> {
  const { spec } = compile({
    background: 'white',
    concat: SHOWN.flatMap((name) => cases.filter((each) => each.name === name)).map(viewOf),
    columns: 2,
    // One scale for all of them; each has its own contenders.
    resolve: { scale: { x: 'shared', y: 'independent' } },
    config: { axis: { labelLimit: 240, gridColor: '#e2e8f0' }, font: 'sans-serif' },
  });
  return new View(parse(spec), { renderer: 'none' }).toSVG();
}
