/**
 * How much the tests try. `TEST_SIZE=quick`, the default, is for whoever waits for it: a quarter of the random runs and of
 * the load, and fewer seeds. `TEST_SIZE=full` is for the gate, and for whoever changes the core.
 */
const SIZES = ['quick', 'full'];
const size = process.env['TEST_SIZE'] ?? 'quick';
if (!SIZES.includes(size)) throw new Error(`TEST_SIZE must be one of ${SIZES.join(', ')}`);

export const isFull = size === 'full';

/** How often a property is tried, or how many requests make the load, of so many at full size. */
export const runs = (full: number): number => (isFull ? full : Math.ceil(full / 4));
