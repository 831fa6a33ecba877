/** What the calls of one client share. */
import type { Pool } from '../transport/pool.js';
import type { Calls } from './calls.js';
import type { Handles } from './handles.js';
import type { FunctionNames } from './names.js';
import type { Settings } from './options.js';
import type { UniqueIds } from './unique.js';

/** See the head of this file. */
export interface Shared {
  readonly settings: Settings;
  readonly pool: Pool;
  readonly calls: Calls;
  readonly functionNames: FunctionNames;
  readonly handles: Handles;
  readonly uniqueIds: UniqueIds;
}
