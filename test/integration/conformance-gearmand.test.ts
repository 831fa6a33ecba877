/** The conformance suite on the installed gearmand, which decides what conforms. */
import { gearmand } from '../conformance/targets.js';
import { testConformance } from '../conformance/suite.js';

testConformance(gearmand);
