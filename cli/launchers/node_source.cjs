// What a file of JavaScript says before it runs: whether it is an ES module, and which accounts it reads.
'use strict';

const TOKEN = /\/\/[^\n]*|\/\*[^]*?\*\/|[\w$]+|\s+|[^]/gy; // a slash is looked at by what stands before it
// Between quotes, by the piece: one expression for all of it would need room for each character.
const QUOTED = { __proto__: null, '"': /[^"\\\n]+|\\[^]/gy, "'": /[^'\\\n]+|\\[^]/gy, '`': /[^`\\$]+|\\[^]|\$(?!\{)/gy };
const REGULAR = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/\w*/gy;
const BEFORE_REGULAR = /^(?:|[^\w$)\]"]|return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|instanceof)$/;
const NEAR = 200; // characters before a name that are looked at

function match(pattern, source, at) {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? '';
}

function hide(text) {
  return text.includes('\n') ? text.split('\n').map(hide).join('\n') : ' '.repeat(text.length);
}

// Where what began with a quote ends, before the other quote.
function quotedEnd(source, quote, at) {
  let piece;
  do {
    piece = match(QUOTED[quote], source, at);
    at += piece.length;
  } while (piece !== '');
  return at;
}

// The source with blanks for comments and for what strings, templates and regular expressions say: as long as it was, line
// for line, so that what is found in it is code, and stands where it stood.
function blank(source) {
  const braces = []; // for each template whose expression we are in: how many of its braces are open
  let result = hide(/^#![^\n]*|/.exec(source)[0]);
  let before = ''; // the token before that is neither blank nor comment; any text between quotes is a quote
  const add = (token, shown) => {
    result += shown;
    before = token;
  };
  const readQuoted = (quote) => {
    const end = quotedEnd(source, quote, result.length);
    result += hide(source.slice(result.length, end));
    if (quote === '`' && source.startsWith('${', end)) {
      add('{', '${');
      braces.push(0);
    } else {
      add('"', source[end] === quote ? quote : '');
    }
  };
  while (result.length < source.length) {
    let token = match(TOKEN, source, result.length);
    if (token === '/' && BEFORE_REGULAR.test(before)) token = match(REGULAR, source, result.length) || token;
    if (/^\s/.test(token)) {
      result += token;
    } else if (/^\/[/*]/.test(token)) {
      result += hide(token);
    } else if (QUOTED[token] !== undefined) {
      result += token;
      readQuoted(token);
    } else if (token === '}' && braces.at(-1) === 0) {
      braces.pop();
      result += token;
      readQuoted('`');
    } else if (token.length > 1 && token[0] === '/') {
      add('"', `/${hide(token.slice(1, -1))}/`);
    } else {
      if (braces.length > 0) braces[braces.length - 1] += token === '{' ? 1 : token === '}' ? -1 : 0;
      add(token, token);
    }
  }
  return result;
}

// Whether the code, blanked, has what only an ES module may have.
function isModule(code) {
  return (
    /(?:^|[;}\n])[^\S\n]*import\s*(?:["'{*]|[\w$]+\s*(?:,|\sfrom\b))/.test(code) ||
    /(?:^|[;}\n])[^\S\n]*export\s*(?:default\b|[{*]|(?:const|let|var|function|class|async)\b)/.test(code) ||
    /\bimport\s*\.\s*meta\b/.test(code)
  );
}

// Whether an ES module, blanked, imports something when it is loaded.
const importsAnything = (code) => /(?:^|[;}\n])[^\S\n]*import\b(?!\s*\()/.test(code);

// Whether an ES module, blanked, exports something, and whether that is a step.
const exportsAnything = (code) => /(?:^|[;}\n])[^\S\n]*export\b/.test(code);
const exportsDefault = (code) => /(?:^|[;}\n])[^\S\n]*export\s*(?:default\b|\{[^}]*\bdefault\b)/.test(code);

// An arrow function has no `this` in a module. Around the code that this one was written for was a function that had one.
const exportsArrowWithThis = (code) =>
  /\bexport\s+default\s+(?:async\b\s*)?(?:\([^()]*\)|[\w$]+)\s*=>/.test(code) && /\bthis\s*[.[]/.test(code);

const STATEMENT = /(?<=^|[;}\n])([^\S\n]*)(?:import\b([^"'();]*)(["'])( +)\3|(export\s+default\b))/g;
const CLAUSE = /^(?:([\w$]+) ?,? ?)?(?:\* ?as ([\w$]+) ?|\{([^}]*)\} ?)?from$/;

// `const { a: b } = await import("c")` for `import { a as b } from "c"`; undefined where it is none of these.
function importOf(clause, specifier) {
  const wanted = `await import(${specifier})`;
  if (clause === '') return wanted;
  const [found, name, all, some] = CLAUSE.exec(clause) ?? [];
  if (found === undefined) return undefined;
  if (all !== undefined) return `const ${all} = ${wanted}${name ? `, { default: ${name} } = ${all}` : ''}`;
  const members = [name && `default: ${name}`, some?.replace(/\bas\b/g, ':')].filter(Boolean).join(', ');
  return `const { ${members} } = ${wanted}`;
}

// The module as the body of a function, line for line; undefined where it has more than imports and one default export that
// is an expression, or imports what Node must be told is a module, too.
function bodyOfModule(source, code) {
  if (/\bexport\s+default\s+(?:async\s+)?(?:function\b\s*\*?\s*|class\s+)(?!extends\b)[\w$]/.test(code)) return undefined;
  const changes = [];
  for (const found of code.matchAll(STATEMENT)) {
    const [whole, space, clause, , from, exported] = found;
    const end = found.index + whole.length;
    let text = 'module.exports=';
    if (exported === undefined) {
      const specifier = source.slice(end - from.length - 2, end);
      text = importOf(clause.replace(/\s+/g, ' ').trim(), specifier);
      if (text === undefined || /^["']\..*\.js["']$/.test(specifier)) return undefined;
    }
    changes.push([found, space + text + whole.replace(/[^\n]/g, '')]);
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

// What stands at a place, after blanks: [text, the place behind it].
function after(pattern, code, at) {
  const start = at + match(/\s*/gy, code, at).length;
  const text = match(pattern, code, start);
  return [text, start + text.length];
}

// The member that is read of what ends at a place: its name, whether by `?.`, and the place behind it.
function memberAt(source, code, at) {
  let [dot, end] = after(/\?\.|\.|(?=\[)/gy, code, at);
  let name;
  if (dot !== '') [name, end] = after(/[A-Za-z_$][\w$]*/gy, code, end);
  if (!name) {
    const [quoted, behind] = after(/\[\s*(?:" *"|' *'|` *`)\s*\]/gy, code, end);
    name = source.slice(behind - quoted.length, behind).slice(1, -1).trim().slice(1, -1);
    end = behind;
  }
  return { name, asked: dot === '?.', end };
}

// The aliases that the code reads properties of, and those of them that it asks for first (`auths.slack?.x`, `if
// (auths.slack)`): these may be missing.
function accountsRead(source, code) {
  const read = new Set();
  const optional = new Set();
  if (!code.includes('auths') || /\b(?:const|let|var)\s+auths\b/.test(code)) return { read, optional };
  for (const { index } of code.matchAll(/(?<![.\w$])auths(?![\w$])/g)) {
    const before = code.slice(Math.max(0, index - NEAR), index);
    const tested = /(["'`]) *\1\s+in\s+$/.exec(before);
    if (tested !== null) optional.add(source.slice(index - tested[0].length + 1, index).split(tested[1])[0]);
    const { name, asked, end } = memberAt(source, code, index + 'auths'.length);
    if (!name) continue;
    const [behind] = after(/[.[]|\)|\?|&&|\|\||(?=.)/gy, code, end);
    const isTested = /(?:!|\btypeof)\s*$/.test(before) || (behind === ')' && /\b(?:if|while)\s*\(\s*$/.test(before));
    if (asked || isTested || ['?', '&&', '||'].includes(behind)) optional.add(name);
    else if (behind === '.' || behind === '[' || /\}\s*=\s*$/.test(before)) read.add(name);
  }
  return { read: new Set([...read].filter((name) => !optional.has(name))), optional };
}

const usesCheckpoint = (code) => /(?<![\w$])\$checkpoint\b/.test(code);

module.exports = {
  blank,
  isModule,
  exportsAnything,
  exportsDefault,
  importsAnything,
  exportsArrowWithThis,
  bodyOfModule,
  accountsRead,
  usesCheckpoint,
};
