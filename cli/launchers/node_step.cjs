// One run of a step: what it is given, what it leaves, and how it says no.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const RESULT_BYTES = 64 * 1024 * 1024;
const RESERVED = new Set(['$return_value', '$end', '$error', '$respond']);
// What asks an object such things does not look for an account.
const NO_ACCOUNT = new Set(['then', 'length', 'constructor']);

// The launcher's own failure, as opposed to the code's: one sentence, exit status 125.
class Refusal extends Error {
  name = 'Refusal';
}

// What $end() and $.flow.exit() throw, so that nothing after them runs.
class Ended extends Error {
  name = 'Ended';
}

function readJson(path, what) {
  let text;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    if (what === 'db' && error.code === 'ENOENT') return {};
    throw new Refusal(`cannot read the ${what} ${path}: ${error.code ?? error.message}`);
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(`the ${what} ${path} is not JSON`);
  }
  if (what !== 'event' && (value === null || typeof value !== 'object' || Array.isArray(value))) {
    throw new Refusal(`the ${what} ${path} is not a JSON object`);
  }
  return value;
}

// The message may have values of the code in it; what is said of it here has not.
function unwritable(error) {
  if (error instanceof RangeError) return 'is too large';
  if (/circular/.test(error.message)) return 'contains itself';
  if (/BigInt/.test(error.message)) return 'has a BigInt in it';
  return `throws ${error?.name ?? 'something'} when it is asked to`;
}

class Step {
  name = process.env.STEPVAULT_STEP || 'STEP';
  exports = new Map();
  outcome = new Map(); // $return_value, $end, $error, $respond, where there is one
  bag = {}; // `this` of a function, whose members are exports
  optional = new Set(); // aliases that the code asks for before it uses them
  columnsBefore = 0; // what of the first line of the code is ours

  constructor(file) {
    this.file = file;
    this.resultPath = process.env.STEPVAULT_RESULT;
    this.dbPath = process.env.STEPVAULT_DB && path.resolve(process.env.STEPVAULT_DB); // the code may go elsewhere
    const paths = {};
    for (const name of ['event', 'steps', 'props', 'db', 'result']) {
      paths[name] = process.env[`STEPVAULT_${name.toUpperCase()}`];
      delete process.env[`STEPVAULT_${name.toUpperCase()}`];
    }
    const read = (what, path, missing) => (path === undefined ? missing : readJson(path, what));
    this.steps = read('steps', paths.steps, {});
    this.event = read('event', paths.event, this.steps.trigger?.event ?? null);
    this.steps.trigger ??= { event: this.event };
    this.props = read('props', paths.props, {});
    this.db = new Map(Object.entries(read('db', paths.db, {})));
    this.accounts = read('accounts', process.env.STEPVAULT_AUTHS, {});
    for (const account of Object.values(this.accounts)) this.seal(account);
    this.auths = new Proxy(Object.freeze(this.accounts), {
      get: (accounts, alias) => {
        const known = typeof alias !== 'string' || Object.hasOwn(accounts, alias) || !/^[a-z_][a-z0-9_]*$/.test(alias);
        if (!known && !NO_ACCOUNT.has(alias) && !this.optional.has(alias)) this.refuseMissing(alias);
        return Reflect.get(accounts, alias);
      },
    });
  }

  // OAuth 1 is signed by a service of Pipedream's there; whoever has one of their own gives the account that property.
  seal(account) {
    const step = this;
    if (!Object.hasOwn(account, 'oauth_signer_uri')) {
      Object.defineProperty(account, 'oauth_signer_uri', { get: () => step.refuse('a signer for OAuth 1 (oauth_signer_uri)') });
    }
    Object.freeze(account);
  }

  // Code that catches what is thrown here does not go on as if it had got what it asked for.
  refuse(feature) {
    this.refusal ??= `${this.file} needs ${feature}, which is not supported`;
    throw new Refusal(this.refusal);
  }

  refuseMissing(app, alias = app) {
    const as = alias === app ? '' : ` --as ${alias}`;
    throw new Refusal(`no account ${app} is bound to ${this.name}; run "stepvault bind ${this.name} ${app}${as}"`);
  }

  // An object whose every member is refused by its name.
  refusing(name) {
    const refuse = (_, member) => (typeof member === 'string' ? this.refuse(`${name}.${member}`) : undefined);
    return new Proxy({}, { get: refuse, set: refuse });
  }

  end(message) {
    this.outcome.set('$end', message ?? null);
    throw new Ended('the step has ended');
  }

  respond(response) {
    this.outcome.set('$respond', response);
  }

  setDb(key, value) {
    const text = JSON.stringify(value);
    if (text === undefined) this.db.delete(key);
    else this.db.set(key, JSON.parse(text));
    this.dbChanged = true;
  }

  // The result document. Throws a Refusal where it cannot be written.
  document() {
    const members = [];
    let size = 2;
    const add = (name, value) => {
      let text;
      try {
        text = JSON.stringify(value);
      } catch (error) {
        const what = RESERVED.has(name) ? `the ${name}` : `the export ${name}`;
        throw new Refusal(`${what} of ${this.file} cannot be written as JSON: it ${unwritable(error)}`);
      }
      if (text === undefined) return; // as in an object: undefined, a function, a symbol
      members.push(`${JSON.stringify(name)}:${text}`);
      size += Buffer.byteLength(members.at(-1)) + 1;
      if (size > RESULT_BYTES) throw new Refusal(`the result of ${this.file} is larger than 64 MiB`);
    };
    if (this.outcome.has('$return_value')) add('$return_value', this.outcome.get('$return_value'));
    for (const [name, value] of [...this.exports, ...Object.entries(this.bag)]) if (!RESERVED.has(name)) add(name, value);
    for (const name of ['$end', '$error', '$respond']) if (this.outcome.has(name)) add(name, this.outcome.get(name));
    return `{${members.join(',')}}`;
  }

  // Leaves what is to be left; throws a Refusal.
  leave() {
    if (this.refusal !== undefined) throw new Refusal(this.refusal);
    if (this.dbPath !== undefined && this.dbChanged) {
      // One that a killed run left must not stand in the way, and in containers process ids come again.
      const draft = `${this.dbPath}.${process.pid}.${Math.random().toString(36).slice(2)}.new`;
      try {
        fs.writeFileSync(draft, JSON.stringify(Object.fromEntries(this.db)), { mode: 0o600, flag: 'wx' });
        fs.renameSync(draft, this.dbPath);
      } catch (error) {
        fs.rmSync(draft, { force: true });
        throw new Refusal(`cannot write the db ${this.dbPath}: ${error.code ?? error.message}`);
      }
    }
    if (this.resultPath === undefined) return;
    const text = this.document();
    try {
      fs.writeFileSync(this.resultPath, text);
    } catch (error) {
      throw new Refusal(`cannot write the result ${this.resultPath}: ${error.code ?? error.message}`);
    }
  }
}

module.exports = { Refusal, Ended, Step };
