import { machineSuite } from './machine-suite.ts';

machineSuite('bookworm');
