// Node takes a .js file for CommonJS where no package.json says otherwise; code steps are written as ES modules there, too.
// These hooks have it look at the file; from Node 22.7 on it does so by itself.
import { readFile } from 'node:fs/promises';
import { blank, isModule } from './node_source.cjs';

export async function load(url, context, next) {
  if (!/^file:.*\.js$/.test(url) || url.includes('/node_modules/') || context.format === 'module') return next(url, context);
  const source = await readFile(new URL(url), 'utf8');
  return isModule(blank(source)) ? { format: 'module', source, shortCircuit: true } : next(url, context);
}
