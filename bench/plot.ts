/** The plot: how many jobs per second each client submits, with a scale on which ten times as many are always one step. */
import { View, parse } from 'vega';
import { compile } from 'vega-lite';
import type { Report } from './report.js';

const SHOWN = ['null-32', 'gearmand-32', 'null-32-one', 'gearmand-32-one'];

interface Point {
  readonly title: string;
  readonly contender: string;
  readonly callsPerSecond: number;
  readonly isOurs: boolean;
}

function pointsOf({ cases }: Report): Point[] {
  return SHOWN.flatMap((name) => cases.filter((each) => each.name === name)).flatMap(({ title, figures }) =>
    figures.map(({ contender, callsPerSecond }) => ({
      title,
      contender,
      callsPerSecond,
      isOurs: contender.startsWith('gearman-client'),
    })),
  );
}

/** Draws the report as SVG. */
export async function draw(report: Report): Promise<string> {
  const points = pointsOf(report);
  const contenders = [...new Set(points.map(({ contender }) => contender))];
  const titles = [...new Set(points.map(({ title }) => title))];
  const y = { field: 'contender', type: 'nominal', sort: contenders, title: null, axis: { grid: true } };
  const x = { field: 'callsPerSecond', type: 'quantitative', title: 'jobs per second', scale: { type: 'log' } };
  const color = {
    field: 'isOurs',
    type: 'nominal',
    scale: { domain: [true, false], range: ['#c2410c', '#475569'] },
    legend: null,
  };
  const label = { type: 'text', align: 'left', dx: 8, fontSize: 10 };
  const { spec } = compile({
    background: 'white',
    data: { values: points },
    facet: { field: 'title', type: 'nominal', sort: titles, title: null },
    columns: 2,
    spec: {
      width: 340,
      layer: [
        { mark: { type: 'point', filled: true, size: 70 }, encoding: { x, y, color } },
        { mark: label, encoding: { x, y, color, text: { field: 'callsPerSecond', format: '.3s' } } },
      ],
    },
    config: { axis: { labelLimit: 240, gridColor: '#e2e8f0' }, font: 'sans-serif' },
  });
  return new View(parse(spec), { renderer: 'none' }).toSVG();
}
