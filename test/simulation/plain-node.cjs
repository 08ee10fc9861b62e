// Runs seeds in a plain Node.js, which takes half the time that they need within jest:
//   node test/simulation/plain-node.cjs <first seed> <how many>
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

const { runSeeds } = require('./seeds.ts');
const [base, count] = process.argv.slice(2).map(Number);
try {
  const sums = runSeeds(base, count);
  const { user, system } = process.cpuUsage();
  process.stdout.write(JSON.stringify({ ...sums, cpuUs: user + system }));
} catch (error) {
  process.stdout.write(error.message);
  process.exitCode = 1;
}
