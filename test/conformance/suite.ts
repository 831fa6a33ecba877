/** The conformance suite: what any Gearman job server does, as told by raw sockets. */
import { after, describe, it } from 'node:test';
import { abilities } from './abilities.js';
import { coalescing } from './coalescing.js';
import { epoch } from './epoch.js';
import { exceptions } from './exceptions.js';
import { framing } from './framing.js';
import { identity } from './identity.js';
import { leaving } from './leaving.js';
import { limits } from './limits.js';
import { ownership } from './ownership.js';
import { priorities } from './priorities.js';
import { queues } from './queues.js';
import { reducing } from './reducing.js';
import { requeueing } from './requeueing.js';
import { results } from './results.js';
import { Scene, Servers, type Theme } from './scene.js';
import { separators } from './separators.js';
import { sleeping } from './sleeping.js';
import { status } from './status.js';
import { submission } from './submission.js';
import type { Target } from './targets.js';
import { text } from './text.js';
import { timeouts } from './timeouts.js';

const THEMES: Readonly<Record<string, Theme>> = {
  ...{ submission, coalescing, status, priorities, reducing, epoch },
  ...{ results, exceptions, leaving, requeueing, ownership },
  ...{ abilities, sleeping, timeouts, identity },
  ...{ text, queues, limits, separators, framing },
};

/** Themes whose cases wait for a time, which they do together. */
const TIMED = ['epoch', 'timeouts'];

/** Registers all cases, for one target. */
export function testConformance(target: Target): void {
  const servers = new Servers(target);
  after(() => servers.close());
  for (const [name, theme] of Object.entries(THEMES)) {
    describe(`${target.name}, ${name}`, { concurrency: TIMED.includes(name) }, () => {
      for (const [demand, run] of Object.entries(theme)) {
        it(demand, async (t) => {
          await run(new Scene(servers, t));
        });
      }
    });
  }
}
