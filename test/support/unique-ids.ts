/** A process of its own that makes unique IDs: `tsx unique-ids.ts COUNT`; writes them, 16 bytes each. */
import { UniqueIds } from '../../src/client/unique.js';
import { nodeRuntime } from '../../src/runtime.js';

const ids = new UniqueIds(nodeRuntime);
const made = Array.from({ length: Number(process.argv[2]) }, () => ids.next().replaceAll('-', ''));
process.stdout.write(Buffer.from(made.join(''), 'hex'));
