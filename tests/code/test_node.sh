#!/bin/bash
# Code steps in JavaScript: the forms in which they are written, what they get and leave, and what is refused by name.
# shellcheck disable=SC2016 # what stands in single quotes is JavaScript's
# shellcheck source=code.bash
. "$(dirname "$0")/code.bash"
code_vault

# ---- functions ----
file form.js <<< 'async (event, steps, auths) => {
  this.channel = process.env.BILLING_CHANNEL;
  return [event.amount, steps.trigger.event.items, steps.look.$return_value.id, auths.slack.oauth_access_token.length];
};'
gives "a function as the whole file" '{"$return_value":[5,[1,"zwei"],7,11],"channel":"#billing"}' form.js --event event.json --steps steps.json
file words.js <<< 'async () => [7].toString().constructor.name;'
gives "words that every object has as a name" '{"$return_value":"String"}' words.js
file form.cjs <<< 'module.exports = async (event, steps, auths) => { this.kind = "cjs"; return Object.keys(auths); };'
gives "a function exported by CommonJS" '{"$return_value":["slack"],"kind":"cjs"}' form.cjs
file form.mjs <<< 'import { basename } from "node:path";
export default async function (event, steps, auths) { this.kind = basename(import.meta.url); return event; }'
gives "a function exported by an ES module" '{"$return_value":null,"kind":"form.mjs"}' form.mjs
file lib.mjs <<< 'export const twice = (x) => 2 * x; export default "lib";'
file arrow.mjs <<< 'import lib, { twice } from "./lib.mjs";
import * as path from "node:path";
export default async (event, steps, auths) => { this.seen = [lib, path.sep]; return twice(event.amount); };'
gives "an arrow function of an ES module has this, too" '{"$return_value":10,"seen":["lib","/"]}' arrow.mjs --event event.json
file esm.js <<< 'import { twice } from "./lib.mjs";
export default (event) => twice(event.amount);'
gives "an ES module in a .js file that no package.json speaks of" '{"$return_value":10}' esm.js --event event.json
file neighbour.js <<< 'export const three = 3;'
file hooked.js <<< 'import { three } from "./neighbour.js";
export default async function step() { return three; }'
gives "... that imports another such file" '{"$return_value":3}' hooked.js
file typed/package.json <<< '{"type":"module"}'
file typed/step.js <<< 'export const side = 1; export default () => side;'
gives "... and where one does" '{"$return_value":1}' typed/step.js
file headers.js <<< '(params, auths) => [params.text, typeof auths.slack.oauth_access_token]'
echo '{"text":"hello"}' > props.json
gives "an earlier header: the names say which values are meant" '{"$return_value":["hello","string"]}' headers.js --props props.json
file named.js <<< '// A comment, and "auths.github.token" in a string.
async function notify(event, steps, auths) { /* auths.gitlab.token */ return `auths.jira.token ${auths.slack ? 1 : 0}`; }
// at the end'
gives "comments and strings are no code" '{"$return_value":"auths.jira.token 1"}' named.js

file regular.js <<< 'const a = 6; const b = a / 3 / 1; return [b, /auths.github.x["]/.test("`") || `${`auths.gitlab.x ${b / 2} /`}`];'
gives "... nor are regular expressions and templates" '{"$return_value":[2,"auths.gitlab.x 1 /"]}' regular.js

# ---- bodies ----
file body.js <<< 'const fs = require("node:fs");
const { twice } = await import("./lib.mjs");
this.twice = twice(event.amount);
this.file = fs.existsSync("body.js");
if (event.amount > 1) return params.text;
this.never = true;'
gives "a bare body: require, await, import(), return, this, params" '{"$return_value":"hello","twice":10,"file":true}' body.js --event event.json --props props.json
file module_body.mjs <<< 'import { twice } from "./lib.mjs";
console.log(twice(event.amount), typeof auths.slack.oauth_access_token, await Promise.resolve(params.text));'
gives "a module that exports nothing is a body" '{}' module_body.mjs --event event.json --props props.json
is "... with the names around it" "$out" "10 string hello"
file end.js <<< 'this.before = 1;
if (event === null) $end("nothing to do");
this.after = 1;'
gives "\$end" '{"before":1,"$end":"nothing to do"}' end.js
file respond.js <<< '$respond({ status: 202, body: "ok" }); return 1;'
gives "\$respond" '{"$return_value":1,"$respond":{"status":202,"body":"ok"}}' respond.js
file immediate.js <<< '(async () => { await null; console.log("done"); })();'
gives "a function that calls itself is waited for" '{}' immediate.js
is "... to its end" "$out" "done"
file strict.js <<< $'#!/usr/bin/env node\n"use strict";\nreturn process.argv.slice(2);'
gives "#! and arguments" '{"$return_value":["-x","a b"]}' strict.js -- -x "a b"

# ---- what they get ----
file environment.js <<< 'return [Object.keys(process.env).filter((name) => /^STEPVAULT_/.test(name)).sort(), process.argv[1].endsWith("/environment.js"), Object.isFrozen(auths), Object.isFrozen(auths.slack)];'
gives "of our variables only what a step always has" \
    '{"$return_value":[["STEPVAULT_AUTHS","STEPVAULT_DELIVERED","STEPVAULT_STEP"],true,true,true]}' environment.js --event event.json --steps steps.json
file early.mjs <<< 'const channel = process.env.BILLING_CHANNEL; export default () => channel;'
gives "variables are there before the code loads" '{"$return_value":"#billing"}' early.mjs
file values.js <<< 'this.undefined = undefined; this.function = () => 1; this.date = new Date(0); this.text = "\u2028ü\ud800"; this.nan = NaN; return undefined;'
gives "values as JSON.stringify writes them" "{\"date\":\"1970-01-01T00:00:00.000Z\",\"text\":\"$(printf '\u2028')ü\\ud800\",\"nan\":null}" values.js
file database.mjs <<< 'export default { props: { db: "$.service.db" }, async run() { const n = (this.db.get("n") ?? 0) + 1; this.db.set("n", n); return n; } };'
file killed.mjs <<< 'import fs from "node:fs";
export default { props: { db: "$.service.db" }, async run() { fs.writeFileSync(`state.json.${process.pid}.new`, ""); this.db.set("n", 3); } };'
file away.mjs <<< 'export default { props: { db: "$.service.db" }, async run() { process.chdir("elsewhere"); this.db.set("n", 9); } };'
lives_on "\$.service.db" .mjs '{}'
gives "... and without one for this run" '{"$return_value":1}' database.mjs

# ---- what they print ----
file loud.mjs <<< 'export default () => { for (let i = 0; i < 3000; i++) console.log("x".repeat(99)); return 1; };'
is "a slow reader gets all that was printed" "$(stepvault run billing/notify --code loud.mjs | { sleep 1 && wc -c; })" 300000
file wail.mjs <<< 'export default () => { for (let i = 0; i < 3000; i++) console.error("x".repeat(99)); throw new Error("at the end"); };'
{ stepvault run billing/notify --code wail.mjs 2>&1; echo "status $?"; } | { sleep 1 && cat > wailed; }
is "... and why the code failed" "$(grep -c '^x*$' wailed) $(grep -c '^Error: at the end' wailed) $(tail -n 1 wailed)" "3000 1 status 1"

# ---- components ----
file shop.app.mjs <<< 'export default {
  type: "app", app: "slack",
  propDefinitions: {
    channel: { type: "string", label: "Channel", default: "#general" },
    count: { type: "integer", optional: true, min: 1 },
  },
  methods: {
    _token() { return this.$auth.oauth_access_token; },
    length() { return this._token().length; },
  },
};'
file component.mjs <<< 'import slack from "./shop.app.mjs";
export default defineComponent({
  name: "Notify", type: "action", version: "0.0.1",
  props: {
    slack,
    channel: { propDefinition: [slack, "channel"], label: "Where" },
    count: { propDefinition: [slack, "count", (c) => ({ channel: c.channel })] },
    text: { type: "string", propDefinition: [slack, "channel"], default: "local" },
    given: { type: "string[]" },
    note: { type: "alert", alertType: "info", content: "…" },
  },
  additionalProps() { return {}; },
  methods: { say(what) { return `${what} ${this.channel}`; } },
  async run({ steps, $ }) {
    $.export("$summary", this.say("posted to"));
    $.export("props", [this.count === undefined, this.text, this.given, this.extra]);
    $.export("context", [$.context.workflow_id, typeof $.context.id]);
    await $.respond({ status: 200 });
    return [this.slack.length(), steps.look.$return_value.id];
  },
});'
echo '{"given":["a"],"extra":{"x":1},"count":null}' > props2.json
gives "a component: app file, propDefinition, methods, props, exports" \
    '{"$return_value":[11,7],"$summary":"posted to #general","props":[true,"local",["a"],{"x":1}],"context":["billing/notify","string"],"$respond":{"status":200}}' \
    component.mjs --props props2.json --steps steps.json
file auth.mjs <<< 'export default { props: { chat: { type: "app", app: "slack" } }, run() { return Object.keys(this.chat.$auth); } };'
gives "an account under another name of the prop is found by the app" '{"$return_value":["oauth_access_token"]}' auth.mjs
stepvault bind billing/notify slack --as chat > /dev/null
file both.mjs <<< 'export default { props: { chat: { type: "app", app: "slack_v2" } }, run() { return typeof this.chat.$auth.oauth_access_token; } };'
gives "... and first by the prop's name" '{"$return_value":"string"}' both.mjs
stepvault unbind billing/notify chat > /dev/null
file exit.mjs <<< 'export default { async run({ $ }) { $.export("a", 1); $.flow.exit("enough"); $.export("b", 1); } };'
gives "\$.flow.exit" '{"a":1,"$end":"enough"}' exit.mjs
file plain.cjs <<< 'exports.props = { n: { type: "integer", default: 4 } }; exports.run = async function ({ $ }) { $.export("n", this.n); };'
gives "a component of CommonJS" '{"n":4}' plain.cjs

# ---- missing accounts: before anything runs ----
bind='run "stepvault bind billing/notify github"'
file missing.js <<< 'console.log("ran"); return auths.github.oauth_access_token;'
refused "a missing account is told with the line to type" "no account github is bound to billing/notify; $bind" missing.js
is "... before the code runs" "$out" ""
file bracket.mjs <<< 'export default async (event, steps, auths) => `${auths["github"].oauth_access_token}`;'
refused "... also in brackets and templates" "$bind" bracket.mjs
file within.js <<< 'return `a ${[`b ${auths.github.x}`]}`;'
refused "... within templates within templates" "$bind" within.js
file taken.js <<< 'const { oauth_access_token } = auths.github; return 1;'
refused "... taken apart" "$bind" taken.js
file optional.js <<< 'this.a = auths.github?.oauth_access_token ?? "none"; if (auths.github) return auths.github.oauth_access_token; return "github" in auths;'
gives "one that is asked for first may be missing" '{"$return_value":false,"a":"none"}' optional.js
file late.js <<< 'console.log("ran"); const name = "git" + "hub"; return auths[name];'
refused "what is met only when it runs has the same sentence" "$bind" late.js
file prop.mjs <<< 'export default { props: { github: { type: "app", app: "github" } }, run() { return 1; } };'
refused "a component's account" "$bind" prop.mjs
file alias.mjs <<< 'export default { props: { source: { type: "app", app: "github" } }, run() { return 1; } };'
refused "... whose prop has another name than the app" 'run "stepvault bind billing/notify github --as source"' alias.mjs

# ---- what is not supported, by its name ----
unsupported() {
    file unsupported.mjs <<< "$2"
    refused "not supported: $1" "needs $1, which is not supported" unsupported.mjs
}
for what in suspend rerun delay; do
    unsupported "\$.flow.$what" "export default { async run({ \$ }) { try { await \$.flow.$what(1000); } catch {} return 1; } };"
done
unsupported '$.send.email' 'export default { async run({ $ }) { $.send.email({}); } };'
unsupported '$send.http' 'export default async () => { $send.http({}); };'
unsupported '$.files.open' 'export default { async run({ $ }) { $.files.open("x"); } };'
unsupported '$checkpoint' 'export default async function () { this.$checkpoint = 1; }'
unsupported 'an event source (type: "source")' 'export default { type: "source", run() {} };'
unsupported 'an event source (hooks)' 'export default { hooks: { activate() {} }, run() {} };'
unsupported 'an event source (dedupe)' 'export default { dedupe: "unique", run() {} };'
unsupported 'an event source (this.$emit)' 'export default { run() { this.$emit({}); } };'
unsupported '$.interface.http (http)' 'export default { props: { http: "$.interface.http" }, run() {} };'
unsupported '$.interface.timer (timer)' 'export default { props: { timer: { type: "$.interface.timer", default: {} } }, run() {} };'
unsupported 'a prop of type dir (files)' 'export default { props: { files: { type: "dir" } }, run() {} };'
unsupported 'an http_request prop (call)' 'export default { props: { call: { type: "http_request" } }, run() {} };'
unsupported 'a data store (store)' 'export default { props: { store: { type: "data_store" } }, run() {} };'
unsupported 'a signer for OAuth 1 (oauth_signer_uri)' 'export default { props: { slack: { type: "app", app: "slack" } }, run() { return this.slack.$auth.oauth_signer_uri; } };'
unsupported 'a value for the prop title' 'export default { props: { title: { type: "string" } }, run() {} };'
file dir.mjs <<< 'export default { props: { files: { type: "dir", optional: true } }, run() { return this.files === undefined; } };'
gives "a prop of type dir that is optional may be left out" '{"$return_value":true}' dir.mjs
refused "an app file is no step" "app file" shop.app.mjs
refused "a module without a default export" "exports nothing to run by default" neighbour.js
file object.mjs <<< 'export default { props: {} };'
refused "a component without run" "exports nothing to run by default" object.mjs
file step.ts <<< 'export default async (event: any) => event;'
refused "TypeScript" "the ending .ts of" step.ts

# ---- errors, and how it ends ----
file throws.js <<< 'this.before = 1; throw new TypeError("no such thing", { cause: new Error("within") });'
ends "code that throws: status 1, and a result that says so" 1 '{"before":1,"$error":{"name":"TypeError","message":"no such thing"}}' throws.js
has "... the stack on stderr, with the column of the file" "$err" "/throws.js:1:24)"
has "... with its cause" "$err" "Caused by: Error: within"
lacks "... without the launcher's frames" "$err" /launchers/
file leaks.mjs <<< 'export default async (event, steps, auths) => { throw Object.assign(new Error("401"), { config: { headers: { Authorization: auths.slack.oauth_access_token } } }); };'
step leaks.mjs
lacks "what an error carries beside its stack is not printed" "$err$result" "$CANARY"
file null.js <<< 'throw null;'
ends "null thrown" 1 '{"$error":{"name":"Error","message":"null"}}' null.js
printf 'const a = 1;\nconst b = = 2;\n' > syntax.js
step syntax.js
has "what cannot be parsed is shown" "$status $err" "1 $PWD/syntax.js:2"
printf 'import "node:fs";\nexport default b = = 2;\n' > syntax.mjs
step syntax.mjs
has "... in a module, too" "$status $err" "1 file://$PWD/syntax.mjs:2"
has "... and is in the result" "$result" '{"$error":{"name":"SyntaxError"'
file background.js <<< 'this.before = 1; setTimeout(() => { throw new Error("late"); }, 1); await new Promise((resolve) => setTimeout(resolve, 60000));'
ends "an error that nobody waits for" 1 '{"before":1,"$error":{"name":"Error","message":"late"}}' background.js
file rejected.js <<< 'Promise.reject(new Error("unheard")); await new Promise((resolve) => setTimeout(resolve, 60000));'
ends "... nor handles" 1 '{"$error":{"name":"Error","message":"unheard"}}' rejected.js
file never.js <<< 'await new Promise(() => {});'
step never.js
has "a promise that nothing can keep" "$status $err" "1 Error: $PWD/never.js waits for something"
file exits.js <<< 'this.before = 1; process.exit(7);'
ends "process.exit" 7 '{"before":1}' exits.js
file hangs.js <<< 'setInterval(() => {}, 1000); return "over";'
gives "what is left running when the step has ended does not hold it" '{"$return_value":"over"}' hangs.js
file killed.js <<< 'this.before = 1; process.kill(process.pid, "SIGKILL"); await new Promise((resolve) => setTimeout(resolve, 60000));'
ends "killed: no result" 137 "" killed.js

# ---- one step's result is what the next one is given ----
file look.js <<< 'this.found = 2; return { id: 7 };'
step look.js
jq -n --slurpfile look result.json '{look: $look[0]}' > chain.json
file next.mjs <<< 'export default { run({ steps }) { return [steps.look.$return_value.id, steps.look.found]; } };'
gives "a result goes into the next step's steps" '{"$return_value":[7,2]}' next.mjs --steps chain.json

# ---- results that cannot be written ----
file circular.js <<< 'this.loop = {}; this.loop.again = this.loop;'
refused "an export that contains itself" "the export loop of $PWD/circular.js cannot be written as JSON: it contains itself" circular.js
file bigint.js <<< 'return { a: [1n] };'
refused "a BigInt returned" 'the $return_value of' bigint.js
file huge.js <<< 'return "x".repeat(64 * 1024 * 1024);'
refused "a result over 64 MiB" "larger than 64 MiB" huge.js

# ---- started by hand ----
runtime=node launcher=$bin/launchers/node.cjs
file hand.js <<< 'return [event, steps.trigger.event, Object.keys(auths)];'
starts_by_hand hand.js '{"$return_value":[null,null,[]]}' ENOENT
echo '[]' > list.json
by_hand hand.js STEPVAULT_STEPS=list.json
is "by hand: steps that are a list" "$status $err" "125 stepvault: the steps list.json is not a JSON object"
finish
