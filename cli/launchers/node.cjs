#!/usr/bin/env node
// Runs a file of JavaScript as a code step: node node.cjs FILE [ARG...]. README.md says what it gets and leaves. CommonJS,
// because Node starts it in a third of the time of an ES module.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { load } = require('./node_load.cjs');
const { Ended, Refusal, Step } = require('./node_step.cjs');

const HEADER = /^(?:async\b\s*)?(?:function\b\s*\*?\s*[\w$]*\s*)?(?:\(([^)]*)\)|([\w$]+)\s*=>)/;
let step;
let running = true;

// Whole, however slowly it is read and whoever made the pipe one that does not block; to nobody, if nobody reads it.
function say(text) {
  let bytes = Buffer.from(`${text}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(fs.writeSync(2, bytes));
    } catch (error) {
      if (error.code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

// Node queues what a slow reader of a pipe has not taken, and process.exit() drops it. Set where the stream is first used:
// making one costs more than most steps print.
function blockOnPipes(name) {
  const { get } = Object.getOwnPropertyDescriptor(process, name);
  let stream;
  const open = () => {
    if (stream === undefined) {
      stream = get.call(process);
      stream._handle?.setBlocking?.(true);
    }
    return stream;
  };
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get: open });
}

function refuse(refusal) {
  say(`stepvault: ${refusal.message}`);
  step = undefined; // nothing is left
  process.exit(125);
}

// The stack without our frames, and nothing else: what else an error carries may be the request with its token.
function describe(error) {
  if (!(error instanceof Error) && typeof error?.stack !== 'string') return `Thrown: ${String(error?.message ?? error)}`;
  const first = new RegExp(`([( ]${step.file.replace(/[^\w]/g, '\\$&')}:1:)(\\d+)`);
  return String(error.stack)
    .split('\n')
    .filter((line) => !(/^\s+at /.test(line) && line.includes(`${__dirname}/`)))
    .map((line) => line.replace(first, (_, place, column) => `${place}${Math.max(1, column - step.columnsBefore)}`))
    .join('\n');
}

// Where a module cannot be parsed is told by Node alone, and only where nobody caught it.
function failUnparsed(error) {
  process.removeAllListeners('uncaughtException');
  process.nextTick(() => {
    throw error;
  });
}

// The code threw.
function fail(error) {
  if (error instanceof Refusal) refuse(error);
  running = false;
  if (error instanceof Ended) process.exit(0);
  step.outcome.set('$error', { name: String(error?.name ?? 'Error'), message: String(error?.message ?? error) });
  if (error instanceof SyntaxError && !/\bfile:|^\//m.test(error.stack)) return failUnparsed(error);
  say(describe(error));
  const seen = new Set([error]);
  for (let cause = error?.cause; cause !== undefined && !seen.has(cause); cause = cause?.cause) {
    say(`Caused by: ${describe(cause)}`);
    seen.add(cause);
  }
  process.exit(1);
}

// Code of the first generation has one of several headers; the names tell which values are meant.
function argumentsOf(run) {
  const values = { event: step.event, steps: step.steps, auths: step.auths, params: step.props };
  const header = HEADER.exec(Function.prototype.toString.call(run));
  const names = (header?.[1] ?? header?.[2] ?? '').split(',').map((name) => name.trim());
  return names.every((name) => Object.hasOwn(values, name)) ? names.map((name) => values[name]) : Object.values(values);
}

function prepare(exported) {
  if (typeof exported === 'function') return () => exported.apply(step.bag, argumentsOf(exported));
  if (typeof exported?.run === 'function') return require('./node_component.cjs').prepareComponent(step, exported);
  if (exported?.type === 'app') throw new Refusal(`${step.file} is an app file, which other components use, and nothing to run`);
  throw new Refusal(`${step.file} exports nothing to run by default: a function, or an object with run`);
}

async function main() {
  try {
    const run = prepare(await load(step));
    const value = await run();
    running = false;
    if (value !== undefined) step.outcome.set('$return_value', value);
    process.exit();
  } catch (error) {
    fail(error);
  }
}

process.on('exit', (status) => {
  if (step === undefined) return;
  try {
    step.leave();
    process.exitCode = status;
  } catch (error) {
    process.exitCode = 125;
    say(`stepvault: ${error.message}`);
  }
});
process.on('uncaughtException', (error) => {
  if (process.listenerCount('uncaughtException') === 1) fail(error);
});
process.on('beforeExit', () => {
  if (!running) return;
  const error = new Error(`${step.file} waits for something that nothing can bring about any more`);
  error.stack = `${error}`;
  fail(error);
});

blockOnPipes('stdout');
blockOnPipes('stderr');
try {
  if (process.argv.length < 3) throw new Refusal('node.cjs needs the FILE of code');
  process.argv.splice(1, 2, path.resolve(process.argv[2]));
  step = new Step(process.argv[1]);
} catch (error) {
  refuse(error);
}
main();
