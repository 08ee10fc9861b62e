/**
 * Loaded before a replica's own code, so that a start takes half the processor time: without the warm-up, and with what the
 * first start of all (`QUICK_START=keep`) has compiled and found. From version 22 on Node.js could keep the code itself.
 */
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { dirname, join } = require('node:path');
const { deserialize, serialize } = require('node:v8');
const { Script, constants } = require('node:vm');

const FILE = join(__dirname, '../../node_modules/.cache/metadata-center/quick-start');

const warmUp = require.resolve(join(dirname(process.argv[1]), 'composition/warm-up.js'));
require.cache[warmUp] = {
  id: warmUp,
  filename: warmUp,
  loaded: true,
  exports: { warmUp: () => Promise.resolve() },
};

const keeps = process.env.QUICK_START === 'keep';
/** Code by its file, files by who asks for them and how. */
const { code, paths } = keeps ? { code: new Map(), paths: new Map() } : deserialize(readFileSync(FILE));
const scripts = new Map();

const compile = Module.prototype._compile;
Module.prototype._compile = function (content, filename, ...rest) {
  if (!(keeps ? /\.c?js$/.test(filename) : code.has(filename)))
    return compile.call(this, content, filename, ...rest);
  const script = new Script(Module.wrap(content.replace(/^#!.*/, '')), {
    filename,
    cachedData: code.get(filename),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (keeps) scripts.set(filename, script);
  const required = (id) => this.require(id);
  required.resolve = (id) => Module._resolveFilename(id, this);
  required.main = process.mainModule;
  required.cache = Module._cache;
  const run = script.runInThisContext();
  return run.call(this.exports, this.exports, required, this, filename, dirname(filename));
};

const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  const key = `${dirname(parent?.filename ?? '')} ${request}`;
  const path = paths.get(key) ?? resolve.call(this, request, parent, ...rest);
  if (keeps) paths.set(key, path);
  return path;
};

if (keeps) {
  process.on('exit', () => {
    for (const [filename, script] of scripts) code.set(filename, script.createCachedData());
    mkdirSync(dirname(FILE), { recursive: true });
    writeFileSync(FILE, serialize({ code, paths }));
  });
}
