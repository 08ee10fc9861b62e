// Runs the simulation in a plain Node.js, which takes a fifth less than within jest:
//   node test/simulation/plain-node.cjs <first seed> <how many>
//   node test/simulation/plain-node.cjs mutations
const { readFileSync } = require('node:fs');
const ts = require('typescript');

const compilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  esModuleInterop: true,
};
require.extensions['.ts'] = (module, fileName) => {
  const text = readFileSync(fileName, 'utf8');
  module._compile(ts.transpileModule(text, { compilerOptions, fileName }).outputText, fileName);
};

const { MUTATIONS } = require('./mutations.ts');
const { noticeOf } = require('./notice.ts');
const { runSeeds } = require('./seeds.ts');

const args = process.argv.slice(2);
try {
  const result = args[0] === 'mutations' ? MUTATIONS.map(noticeOf) : runSeeds(...args.map(Number));
  const { user, system } = process.cpuUsage();
  process.stdout.write(JSON.stringify({ result, cpuUs: user + system }));
} catch (error) {
  process.stdout.write(error.message);
  process.exitCode = 1;
}
