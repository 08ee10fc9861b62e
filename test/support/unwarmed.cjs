/** Loaded before a replica's own code: takes the place of its warm-up, which is half of what a start costs. */
const { dirname, join } = require('node:path');

const filename = require.resolve(join(dirname(process.argv[1]), 'composition/warm-up.js'));
require.cache[filename] = {
  id: filename,
  filename,
  loaded: true,
  exports: { warmUp: () => Promise.resolve() },
};
