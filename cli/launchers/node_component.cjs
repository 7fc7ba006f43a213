// A component: `defineComponent({ props, run })`, or the same object without it.
'use strict';

// Props that take more than a value; what is not here is a value. The second is what it needs, where it is not supported.
const SERVICES = [
  [/^\$\.interface\./, (type) => type],
  [/^\$\.service\.(?!db$)/, (type) => type],
  [/^http_request$/, () => 'an http_request prop'],
  [/^data_store$/, () => 'a data store'],
  [/^dir$/, () => 'a prop of type dir'],
];

const isObject = (value) => value !== null && typeof value === 'object';

// The definition of a prop with what it takes over from those of an app file; local keys win.
function resolveDefinition(definition) {
  if (typeof definition === 'string') return { type: definition };
  if (!isObject(definition) || !Array.isArray(definition.propDefinition)) return definition;
  const [app, key] = definition.propDefinition;
  const { propDefinition, ...local } = definition;
  return { ...resolveDefinition(app?.propDefinitions?.[key]), ...local };
}

function bindMethods(target, methods) {
  for (const [name, method] of Object.entries(methods ?? {})) {
    target[name] = typeof method === 'function' ? method.bind(target) : method;
  }
  return target;
}

function findAccount(step, name, app) {
  const slug = app.replaceAll('-', '_');
  for (const alias of [name, slug]) if (Object.hasOwn(step.accounts, alias)) return step.accounts[alias];
  return step.refuseMissing(app, name === slug || !/^[a-z_][a-z0-9_]*$/.test(name) ? app : name);
}

function makeProp(step, name, definition) {
  const type = definition?.type ?? 'string';
  if (type === 'app') return bindMethods({ $auth: findAccount(step, name, definition.app ?? name) }, definition.methods);
  if (type === '$.service.db') {
    return { get: (key) => step.db.get(key), set: (key, value) => step.setDb(key, value) };
  }
  const value = step.props[name] ?? undefined;
  for (const [pattern, what] of SERVICES) {
    if (pattern.test(type) && (value !== undefined || !definition.optional)) step.refuse(`${what(type)} (${name})`);
  }
  if (value !== undefined || definition?.optional || type === 'alert') return value ?? definition?.default;
  if (definition?.default === undefined) step.refuse(`a value for the prop ${name}`);
  return definition.default;
}

function makeContext(step) {
  const { randomUUID } = require('node:crypto'); // it takes 5 ms to load, and few ask
  return {
    id: randomUUID(),
    ts: new Date().toISOString(),
    workflow_id: step.name,
    workflow_name: step.name,
    test: false,
    replay: false,
    run: { runs: 1 },
  };
}

function makeHost(step) {
  let context;
  const refused = (name) => () => step.refuse(name);
  return {
    export: (key, value) => void step.exports.set(String(key), value),
    flow: {
      exit: (message) => step.end(message),
      suspend: refused('$.flow.suspend'),
      rerun: refused('$.flow.rerun'),
      delay: refused('$.flow.delay'),
    },
    respond: async (response) => step.respond(response),
    send: step.refusing('$.send'),
    files: step.refusing('$.files'),
    get context() {
      return (context ??= makeContext(step));
    },
  };
}

// The component's `this`, and its run as a function of nothing. Throws a Refusal before anything of it runs.
function prepareComponent(step, component) {
  if (component.type === 'source') step.refuse('an event source (type: "source")');
  for (const name of ['hooks', 'dedupe']) if (component[name] !== undefined) step.refuse(`an event source (${name})`);
  const self = {};
  for (const [name, value] of Object.entries(step.props)) self[name] = value ?? undefined; // those of additionalProps
  for (const [name, definition] of Object.entries(component.props ?? {})) {
    self[name] = makeProp(step, name, resolveDefinition(definition));
  }
  bindMethods(self, component.methods);
  self.$emit = () => step.refuse('an event source (this.$emit)');
  return () => component.run.call(self, { $: makeHost(step), steps: step.steps, event: step.event });
}

module.exports = { prepareComponent };
