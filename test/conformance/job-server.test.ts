/** The conformance suite on the embedded job server. */
import { testConformance } from './suite.js';
import { jobServer } from './targets.js';

testConformance(jobServer);
