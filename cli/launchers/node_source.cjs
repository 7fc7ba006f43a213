// What a file of JavaScript says before it runs: whether it is an ES module, and which accounts it reads.
'use strict';

// The longest first; a slash is looked at by what stands before it.
const TOKEN = /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'|[\w$]+|\s+|[^]/gy;
const TEMPLATE = /(?:\\[^]|\$(?!\{)|[^`\\$])*/gy;
const REGULAR = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/gy;
const BEFORE_REGULAR = /^(?:|[^\w$)\]"'`]|return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|instanceof)$/;

const hide = (text) => text.replace(/[^\n]/g, ' ');
const inside = (text) => text[0] + hide(text.slice(1, -1)) + text.at(-1);

function match(pattern, source, at) {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? '';
}

// The source with blanks for comments and for what strings, templates and regular expressions say: as long as it was, line
// for line, so that what is found in it is code, and stands where it stood.
function blank(source) {
  const braces = []; // for each template whose expression we are in: how many of its braces are open
  let result = hide(source.match(/^#![^\n]*/)?.[0] ?? '');
  let before = ''; // the token before that is neither blank nor comment
  const readTemplate = () => {
    const text = match(TEMPLATE, source, result.length);
    result += hide(text);
    if (source.startsWith('${', result.length)) {
      result += '${';
      braces.push(0);
      before = '{';
    } else {
      result += source.slice(result.length, result.length + 1);
      before = '`';
    }
  };
  while (result.length < source.length) {
    let token = match(TOKEN, source, result.length);
    if (token === '/' && BEFORE_REGULAR.test(before)) token = match(REGULAR, source, result.length) || token;
    if (/^\s/.test(token)) {
      result += token;
    } else if (token.startsWith('//') || token.startsWith('/*')) {
      result += hide(token);
    } else if (token === '`') {
      result += token;
      readTemplate();
    } else if (token === '}' && braces.at(-1) === 0) {
      braces.pop();
      result += token;
      readTemplate();
    } else {
      if (token === '{' && braces.length > 0) braces[braces.length - 1] += 1;
      if (token === '}' && braces.length > 0) braces[braces.length - 1] -= 1;
      result += token.length > 1 && /^["'/]/.test(token) ? inside(token) : token;
      before = token.length > 1 && /^["'/]/.test(token) ? '"' : token;
    }
  }
  return result;
}

// Whether the code, blanked, has what only an ES module may have.
function isModule(code) {
  return (
    /(?:^|[;}\n])\s*import\s*(?:["'{*]|[\w$]+\s*(?:,|\sfrom\b))/.test(code) ||
    /(?:^|[;}\n])\s*export\s*(?:default\b|[{*]|(?:const|let|var|function|class|async)\b)/.test(code) ||
    /\bimport\s*\.\s*meta\b/.test(code)
  );
}

// Whether an ES module, blanked, exports something, and whether that is a step.
const exportsAnything = (code) => /(?:^|[;}\n])\s*export\b/.test(code);
const exportsDefault = (code) => /(?:^|[;}\n])\s*export\s*(?:default\b|\{[^}]*\bdefault\b)/.test(code);

// An arrow function has no `this` in a module. Around the code that this one was written for was a function that had one.
const exportsArrowWithThis = (code) =>
  /\bexport\s+default\s+(?:async\b\s*)?(?:\([^()]*\)|[\w$]+)\s*=>/.test(code) && /\bthis\s*[.[]/.test(code);

const STATEMENT =
  /(?<=^|[;}\n])(\s*)(?:import\s*(?:([\w$]+)?\s*,?\s*(?:\*\s*as\s+([\w$]+)|\{([^}]*)\})?\s*from)?\s*(["'])( +)\5|(export\s+default\b))/g;

// The module as the body of a function, line for line; undefined where it has more than imports and one default export that
// is an expression, or imports what Node must be told is a module, too.
function bodyOfModule(source, code) {
  if (/\bexport\s+default\s+(?:async\s+)?(?:function\b\s*\*?\s*|class\s+)(?!extends\b)[\w$]/.test(code)) return undefined;
  const changes = [];
  for (const found of code.matchAll(STATEMENT)) {
    const [whole, space, name, all, some, , from, exported] = found;
    const lines = whole.slice(space.length).replace(/[^\n]/g, '');
    if (exported !== undefined) {
      changes.push([found, `${space}module.exports=${lines}`]);
      continue;
    }
    const end = found.index + whole.length;
    const specifier = source.slice(end - from.length - 2, end);
    if (/^["']\..*\.js["']$/.test(specifier)) return undefined;
    const wanted = `await import(${specifier})`;
    const members = [name && `default: ${name}`, some?.replace(/\n/g, ' ').replace(/\bas\b/g, ':')].filter(Boolean).join(', ');
    let text = wanted;
    if (all !== undefined) text = `const ${all} = ${wanted}${name ? `, { default: ${name} } = ${all}` : ''}`;
    else if (members !== '') text = `const { ${members} } = ${wanted}`;
    changes.push([found, `${space}${text}${lines}`]);
  }
  let body = '';
  let at = 0;
  for (const [found, text] of changes) {
    body += source.slice(at, found.index) + text;
    at = found.index + found[0].length;
  }
  body += source.slice(at);
  return isModule(blank(body)) ? undefined : body;
}

const ACCOUNT = /(?<![.\w$])auths\s*(\?\.)?\s*(?:\.?\s*([A-Za-z_$][\w$]*)|\[\s*["'`]( +)["'`]\s*\])/g;

// The aliases that the code reads properties of, and those of them that it asks for first (`auths.slack?.x`, `if
// (auths.slack)`): these may be missing.
function accountsRead(source, code) {
  const read = new Set();
  const optional = new Set();
  if (/\b(?:const|let|var)\s+auths\b/.test(code)) return { read, optional };
  for (const found of code.matchAll(ACCOUNT)) {
    const end = found.index + found[0].length;
    const name = found[2] ?? source.slice(0, end).match(/["'`]([^"'`]*)["'`]\s*\]$/)?.[1];
    if (name === undefined || (found[2] !== undefined && !/\.\s*[\w$]+$/.test(found[0]))) continue;
    const around = [code.slice(0, found.index), code.slice(end)];
    const tested = /\b(?:if|while)\s*\(\s*$/.test(around[0]) && /^\s*\)/.test(around[1]);
    const asked = tested || /(?:!|\btypeof)\s*$/.test(around[0]);
    if (asked || found[1] !== undefined || /^\s*(?:\?|&&|\|\|)/.test(around[1])) optional.add(name);
    else if (/^\s*[.[]/.test(around[1]) || /\}\s*=\s*$/.test(around[0])) read.add(name);
  }
  for (const found of code.matchAll(/["'`]( +)["'`]\s+in\s+auths\b/g)) {
    optional.add(source.slice(found.index + 1, found.index + 1 + found[1].length));
  }
  return { read: new Set([...read].filter((name) => !optional.has(name))), optional };
}

const usesCheckpoint = (code) => /(?<![\w$])\$checkpoint\b/.test(code);

module.exports = { blank, isModule, exportsAnything, exportsDefault, exportsArrowWithThis, bodyOfModule, accountsRead, usesCheckpoint };
