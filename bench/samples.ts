/** What is measured, and what becomes of it. */
import { GEARMAND, type Case } from './cases.js';

/** One run of one contender, as its process prints it. */
export interface Sample {
  readonly calls: number;
  readonly seconds: number;
  /** User and system, all threads; of the job server where that is what is measured. */
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
}

/** The medians of a contender in one case. */
export interface Figures {
  readonly contender: string;
  readonly callsPerSecond: number;
  readonly cpuMicrosPerCall: number;
  readonly peakRssBytes: number;
  /** Calls per second as a part of the bare socket's; the median of the ratios of each round. */
  readonly toBareSocket: number | undefined;
  /** The same, of libgearman's. */
  readonly toLibgearman: number | undefined;
  /** The same, of those of the fastest other one for Node with as many calls outstanding, or jobs at a time. */
  readonly toOther: number | undefined;
  /** The same, of gearmand's where job servers are compared. */
  readonly toGearmand: number | undefined;
}

/** The results of one case. */
export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly subject: Case['subject'];
  readonly workloadBytes: number;
  readonly figures: readonly Figures[];
  /** Contenders that did not run, and why. */
  readonly failures: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

const rate = ({ calls, seconds }: Sample): number => calls / seconds;

/** Contenders of one round met the same machine, so that their ratio says more than that of two medians. */
function ratio(samples: readonly Sample[], base: readonly Sample[] | undefined): number | undefined {
  if (base?.length !== samples.length) return undefined;
  return median(
    samples.map((sample, round) => {
      const other = base[round];
      return other === undefined ? NaN : rate(sample) / rate(other);
    }),
  );
}

const medianRate = (samples: readonly Sample[]): number => median(samples.map(rate));

type Samples = ReadonlyMap<string, readonly Sample[]>;

/** The samples of the fastest one of other people's for Node that has as many calls outstanding, or jobs at a time. */
function fastestOther(samples: Samples, { contenders }: Case, outstanding: number | undefined): readonly Sample[] {
  const others = contenders.filter((each) => each.isOther === true && each.outstanding === outstanding);
  const ran = others.map(({ name }) => samples.get(name) ?? []).filter(({ length }) => length > 0);
  return ran.sort((a, b) => medianRate(b) - medianRate(a))[0] ?? [];
}

/** The figures of all contenders that ran; their samples are in the order of the rounds. */
export function summarize(samples: Samples, given: Case): Figures[] {
  const ran = given.contenders.filter(({ name }) => samples.has(name));
  return ran.map(({ name, outstanding }) => {
    const own = samples.get(name) ?? [];
    return {
      contender: name,
      callsPerSecond: medianRate(own),
      cpuMicrosPerCall: median(own.map(({ calls, cpuSeconds }) => (cpuSeconds / calls) * 1e6)),
      peakRssBytes: median(own.map(({ peakRssBytes }) => peakRssBytes)),
      toBareSocket: ratio(own, samples.get('bare socket')),
      toLibgearman: ratio(own, samples.get('libgearman')),
      toOther: ratio(own, fastestOther(samples, given, outstanding)),
      toGearmand: ratio(own, samples.get(GEARMAND)),
    };
  });
}
