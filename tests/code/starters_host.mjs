// Calls starters for Node, each in turn: [{id, file, auths}] as JSON on stdin; a line of JSON for each on stdout.
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';

for (const { id, file, auths } of JSON.parse(readFileSync(0, 'utf8'))) {
  let outcome;
  try {
    const { default: code } = await import(file);
    outcome = { result: await code(null, {}, auths) };
  } catch (error) {
    outcome = { error: inspect(error) };
  }
  console.log(JSON.stringify({ id, ...outcome }));
}
