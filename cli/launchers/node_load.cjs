// From a file to what is to be run: a function, or a component's object.
'use strict';
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const vm = require('node:vm');
const { pathToFileURL } = require('node:url');
const { Refusal } = require('./node_step.cjs');
const { accountsRead, blank, isModule, usesCheckpoint } = require('./node_source.cjs');
const { bodyOfModule, exportsAnything, exportsArrowWithThis, exportsDefault, importsAnything } = require('./node_source.cjs');

const ENDINGS = ['.js', '.mjs', '.cjs'];
const BEFORE = 'module.exports=(event,steps,auths,params)=>async function(){';

const STRICT = "'use strict';"; // as every module is

function readSource(file) {
  if (!ENDINGS.includes(path.extname(file))) {
    throw new Refusal(`the ending ${path.extname(file)} of ${file} is none of Node's: ${ENDINGS.join(', ')}`);
  }
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new Refusal(`cannot read the code ${file}: ${error.code ?? error.message}`);
  }
}

// Whether a .js file has a package.json above it that says it is an ES module.
function inModuleScope(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch {
      if (folder === path.dirname(folder)) return false;
    }
  }
}

// The names that Pipedream's first generation of steps found around them.
function provideNames(step) {
  Object.assign(globalThis, {
    $end: (message) => step.end(message),
    $respond: (response) => step.respond(response),
    $send: step.refusing('$send'),
    defineComponent: (component) => component,
    defineAction: (component) => component,
  });
}

async function importModule(step, code, isForeign) {
  if (exportsAnything(code) && !exportsDefault(code)) return undefined;
  if (isForeign) {
    if (Module.register === undefined) {
      throw new Refusal(`${step.file} is an ES module, which needs the ending .mjs with this Node (${process.version})`);
    }
    Module.register('./node_hooks.mjs', pathToFileURL(__filename));
  }
  // What an ES module has not, but code that was a function's body once may use.
  if (/(?<![.\w$])require\s*\(/.test(code)) globalThis.require = Module.createRequire(step.file);
  if (!exportsAnything(code)) {
    Object.assign(globalThis, { event: step.event, steps: step.steps, auths: step.auths, params: step.props });
  }
  const namespace = await import(pathToFileURL(step.file));
  return exportsAnything(code) ? namespace.default : () => undefined;
}

function parses(text) {
  try {
    return new vm.Script(text) !== undefined;
  } catch {
    return false;
  }
}

// One expression, or the body of a function: `return`, `await` and `this` as in one.
function compile(step, source, code, strict) {
  const last = code.trimEnd().length - 1;
  const expression = code[last] === ';' ? `${source.slice(0, last)} ${source.slice(last + 1)}` : source;
  const asExpression = `${BEFORE}return [(`;
  const asBody = `${BEFORE}${strict}`;
  const isExpression = parses(`${asExpression}${expression}\n)]}`);
  const text = isExpression ? `${asExpression}${expression}\n)]}` : `${asBody}${source}\n}`;
  step.columnsBefore = (isExpression ? asExpression : asBody).length;
  const module = new Module(step.file);
  module.filename = step.file;
  module.paths = Module._nodeModulePaths(path.dirname(step.file));
  const { exports } = module;
  module._compile(text, step.file);
  const body = module.exports(step.event, step.steps, step.auths, step.props);
  module.exports = exports;
  return { body, module, isExpression };
}

async function runBody(step, source, code, strict = '') {
  const { body, module, isExpression } = compile(step, source, code, strict);
  const before = module.exports;
  const value = await body.call(step.bag);
  if (module.exports !== before) return module.exports.__esModule ? module.exports.default : module.exports;
  if (Object.keys(before).length > 0) return before.default ?? before;
  if (!isExpression) return () => value;
  const [result] = value;
  if (typeof result === 'function' || typeof result?.run === 'function') return result;
  await result;
  return () => undefined;
}

// What the file says is to be run. The body of a function has run by then, and what comes back gives what it returned.
async function load(step) {
  const source = readSource(step.file).replace(/^\uFEFF/, '');
  const code = blank(source);
  const { read, optional } = accountsRead(source, code);
  step.optional = optional;
  for (const alias of read) if (!Object.hasOwn(step.accounts, alias)) step.refuseMissing(alias);
  if (usesCheckpoint(code)) step.refuse('$checkpoint');
  provideNames(step);
  if (path.extname(step.file) === '.cjs' || !isModule(code)) return runBody(step, source.replace(/^#!/, '//'), code);
  const isForeign = path.extname(step.file) === '.js' && !inModuleScope(step.file); // to Node, and hooks cost 50 ms
  const isSpared = isForeign || !importsAnything(code) || exportsArrowWithThis(code); // the loader alone costs 5 ms
  const body = isSpared ? bodyOfModule(source, code) : undefined;
  return body === undefined ? importModule(step, code, isForeign) : runBody(step, body, blank(body), STRICT);
}

module.exports = { load };
