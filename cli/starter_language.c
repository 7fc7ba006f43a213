/* The rows, one for each language. */
#include "starter_language.h"

#include "starter.h"

#include <stddef.h>
#include <string.h>

/* clang-format off */

/* ---- node ---- */

static const struct starter_line node_lines[] = {
    {.text = "export default async (event, steps, auths) => {\n"},
    {.text = "  const url = <url>;\n", .unless = STARTER_PARAMETERS},
    {.text = "  let url = <url>;\n", .when = STARTER_PARAMETERS},
    {.text = "  if (<given>) url += <value>;\n", .each = EACH_PARAMETER},
    {.text = "  const headers = {\n", .when = STARTER_HEADERS},
    {.text = "    <name>: <value>,\n", .each = EACH_HEADER},
    {.text = "  };\n", .when = STARTER_HEADERS},
    {.text = "  if (<given>) headers[<name>] = <value>;\n", .each = EACH_OPTIONAL_HEADER},
    {.text = "  const response = await fetch(url, {\n    method: <method>,\n"},
    {.text = "    headers,\n", .when = STARTER_HEADERS},
    {.text = "    body: <body>,\n", .when = STARTER_BODY},
    {.text = "    redirect: 'manual',\n  });\n"
             "  if (!response.ok) throw new Error(<answers> + response.status);\n"
             "  const reply = await response.json();\n"},
    {.text = "  if ([undefined, null, false, ''].includes(reply<chain>)) throw new Error(<denies>);\n",
     .when = STARTER_EXPECTS},
    {.text = "  return reply;\n};\n"},
    {0},
};

/* ---- python ---- */

static const struct starter_line python_lines[] = {
    {.text = "import base64\n", .when = STARTER_BASIC},
    {.text = "import json\nimport urllib.error\n"},
    {.text = "import urllib.parse\n", .when = STARTER_ENCODES},
    {.text = "import urllib.request\n"
             "\n\n"
             "class NoRedirect(urllib.request.HTTPRedirectHandler):\n"
             "    def redirect_request(self, *arguments):\n"
             "        return None\n"},
    {.text = "\n\n"
             "def find(reply, *names):\n"
             "    for name in names:\n"
             "        if isinstance(reply, list) and name.isdigit() and int(name) < len(reply):\n"
             "            reply = reply[int(name)]\n"
             "        else:\n"
             "            reply = reply.get(name) if isinstance(reply, dict) else None\n"
             "    return reply\n",
     .when = STARTER_EXPECTS},
    {.text = "\n\n"
             "def handler(pd):\n"
             "    auth = pd.inputs[<alias>][\"$auth\"]\n"
             "    url = <url>\n"},
    {.text = "    if <given>:\n        url += <value>\n", .each = EACH_PARAMETER},
    {.text = "    headers = {\n", .when = STARTER_HEADERS},
    {.text = "        <name>: <value>,\n", .each = EACH_HEADER},
    {.text = "    }\n", .when = STARTER_HEADERS},
    {.text = "    if <given>:\n        headers[<name>] = <value>\n", .each = EACH_OPTIONAL_HEADER},
    {.text = "    request = urllib.request.Request(url, method=<method>"},
    {.text = ", headers=headers", .when = STARTER_HEADERS},
    {.text = ", data=<body>.encode()", .when = STARTER_BODY},
    {.text = ")\n"
             "    try:\n"
             "        with urllib.request.build_opener(NoRedirect).open(request) as response:\n"
             "            reply = json.load(response)\n"
             "    except urllib.error.HTTPError as error:\n"
             "        raise RuntimeError(<answers> + str(error.code)) from None\n"},
    {.text = "    found = find(reply<chain>)\n"
             "    if found is None or found is False or found == \"\":\n"
             "        raise RuntimeError(<denies>)\n",
     .when = STARTER_EXPECTS},
    {.text = "    return reply\n"},
    {0},
};

/* ---- shells: what is in argv others can read, so headers come in on stdin and a secret address by a file ---- */

static const struct starter_line bash_lines[] = {
    {.text = "set -euo pipefail\n\n"},
    {.text = "encode() {\n"
             "    local LC_ALL=C at byte\n"
             "    for ((at = 0; at < ${#1}; at++)); do\n"
             "        byte=${1:at:1}\n"
             "        case $byte in\n"
             "        [A-Za-z0-9.~_-]) printf %s \"$byte\" ;;\n"
             "        *) printf %%%02X \"'$byte\" ;;\n"
             "        esac\n"
             "    done\n"
             "}\n\n",
     .when = STARTER_ENCODES},
    {.text = "[ -n \"${<variable>:-}\" ] || <variable>=<default>\n", .each = EACH_DEFAULT},
    {.text = "url=<url>\n"},
    {.text = "if <given>; then url=$url<value>; fi\n", .each = EACH_PARAMETER},
    {.text = "{\n", .when = STARTER_HEADERS},
    {.text = "    printf '%s: %s\\n' <name> <value>\n", .each = EACH_HEADER},
    {.text = "    if <given>; then printf '%s: %s\\n' <name> <value>; fi\n", .each = EACH_OPTIONAL_HEADER},
    {.text = "} | ", .when = STARTER_HEADERS},
    {.text = "curl --silent --show-error --fail-with-body --location --max-redirs 0 --globoff"},
    {.text = " --header @-", .when = STARTER_HEADERS},
    {.text = " --request <method> --data-raw <body>", .when = STARTER_BODY},
    {.text = " --data-raw \"\"", .when = STARTER_EMPTY_POST},
    {.text = " --header Content-Type:", .when = STARTER_EMPTY_POST, .unless = STARTER_TYPED},
    {.text = " --config <(printf 'url = \"%s\"\\n' \"$url\")\n", .when = STARTER_SECRET_URL},
    {.text = " \"$url\"\n", .unless = STARTER_SECRET_URL},
    {0},
};

static const struct starter_line curl_lines[] = {
    {.text = "encode() { local LC_ALL=C at byte; for ((at = 0; at < ${#1}; at++)); do byte=${1:at:1}; case $byte in "
             "[A-Za-z0-9.~_-]) printf %s \"$byte\" ;; *) printf %%%02X \"'$byte\" ;; esac; done; }; ",
     .when = STARTER_ENCODES},
    {.text = "[ -n \"${<variable>:-}\" ] || <variable>=<default>; ", .each = EACH_DEFAULT},
    {.text = "url=<url>; "},
    {.text = "if <given>; then url=$url<value>; fi; ", .each = EACH_PARAMETER},
    {.text = "{ ", .when = STARTER_HEADERS},
    {.text = "printf \"%s: %s\\n\" <name> <value>; ", .each = EACH_HEADER},
    {.text = "if <given>; then printf \"%s: %s\\n\" <name> <value>; fi; ", .each = EACH_OPTIONAL_HEADER},
    {.text = "} | ", .when = STARTER_HEADERS},
    {.text = "curl -sSgL --max-redirs 0 --fail-with-body"},
    {.text = " -H @-", .when = STARTER_HEADERS},
    {.text = " -X <method> --data-raw <body>", .when = STARTER_BODY},
    {.text = " --data-raw \"\"", .when = STARTER_EMPTY_POST},
    {.text = " -H Content-Type:", .when = STARTER_EMPTY_POST, .unless = STARTER_TYPED},
    {.text = " -K <(printf \"url = \\\"%s\\\"\\n\" \"$url\")", .when = STARTER_SECRET_URL},
    {.text = " \"$url\"", .unless = STARTER_SECRET_URL},
    {0},
};

/* ---- go ---- */

static const struct starter_line go_lines[] = {
    {.text = "\npackage main\n\nimport (\n"},
    {.text = "\t\"bytes\"\n", .when = STARTER_BODY},
    {.text = "\t\"encoding/base64\"\n", .when = STARTER_BASIC},
    {.text = "\t\"encoding/json\"\n\t\"errors\"\n\t\"fmt\"\n\t\"net/http\"\n\t\"net/url\"\n\t\"os\"\n"},
    {.text = "\t\"strconv\"\n", .when = STARTER_EXPECTS},
    {.text = "\t\"strings\"\n", .when = STARTER_ENCODES},
    {.text = ")\n\n"
             "func check(err error) {\n"
             "\tvar trouble *url.Error\n"
             "\tif errors.As(err, &trouble) {\n"
             "\t\terr = trouble.Err\n"
             "\t}\n"
             "\tif err != nil {\n"
             "\t\tfmt.Fprintln(os.Stderr, err)\n"
             "\t\tos.Exit(1)\n"
             "\t}\n"
             "}\n\n"},
    {.text = "func encode(text string) string {\n"
             "\treturn strings.ReplaceAll(url.QueryEscape(text), \"+\", \"%20\")\n"
             "}\n\n",
     .when = STARTER_ENCODES},
    {.text = "func withDefault(text, fallback string) string {\n"
             "\tif text == \"\" {\n"
             "\t\treturn fallback\n"
             "\t}\n"
             "\treturn text\n"
             "}\n\n",
     .when = STARTER_DEFAULTS},
    {.text = "func find(reply any, names ...string) any {\n"
             "\tfor _, name := range names {\n"
             "\t\tswitch value := reply.(type) {\n"
             "\t\tcase map[string]any:\n"
             "\t\t\treply = value[name]\n"
             "\t\tcase []any:\n"
             "\t\t\tindex, err := strconv.Atoi(name)\n"
             "\t\t\tif err != nil || index < 0 || index >= len(value) {\n"
             "\t\t\t\treturn nil\n"
             "\t\t\t}\n"
             "\t\t\treply = value[index]\n"
             "\t\tdefault:\n"
             "\t\t\treturn nil\n"
             "\t\t}\n"
             "\t}\n"
             "\treturn reply\n"
             "}\n\n",
     .when = STARTER_EXPECTS},
    {.text = "func main() {\n"
             "\tdocument, err := os.ReadFile(os.Getenv(\"STEPVAULT_AUTHS\"))\n"
             "\tcheck(err)\n"
             "\tvar auths map[string]map[string]string\n"
             "\tcheck(json.Unmarshal(document, &auths))\n"
             "\tauth := auths[<alias>]\n"
             "\tif auth == nil {\n"
             "\t\tcheck(errors.New(<unbound>))\n"
             "\t}\n"
             "\taddress := <url>\n"},
    {.text = "\tif <given> {\n\t\taddress += <value>\n\t}\n", .each = EACH_PARAMETER},
    {.text = "\trequest, err := http.NewRequest(<method>, address, nil)\n", .unless = STARTER_BODY},
    {.text = "\trequest, err := http.NewRequest(<method>, address, bytes.NewBufferString(<body>))\n",
     .when = STARTER_BODY},
    {.text = "\tcheck(err)\n"},
    {.text = "\trequest.Header.Set(<name>, <value>)\n", .each = EACH_HEADER},
    {.text = "\tif <given> {\n\t\trequest.Header.Set(<name>, <value>)\n\t}\n", .each = EACH_OPTIONAL_HEADER},
    {.text = "\tclient := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {\n"
             "\t\treturn http.ErrUseLastResponse\n"
             "\t}}\n"
             "\tresponse, err := client.Do(request)\n"
             "\tcheck(err)\n"
             "\tdefer response.Body.Close()\n"
             "\tif response.StatusCode < 200 || response.StatusCode > 299 {\n"
             "\t\tcheck(fmt.Errorf(\"%s%d\", <answers>, response.StatusCode))\n"
             "\t}\n"
             "\tvar reply any\n"
             "\tcheck(json.NewDecoder(response.Body).Decode(&reply))\n"},
    {.text = "\tif found := find(reply<chain>); found == nil || found == false || found == \"\" {\n"
             "\t\tcheck(errors.New(<denies>))\n"
             "\t}\n",
     .when = STARTER_EXPECTS},
    {.text = "\tcheck(json.NewEncoder(os.Stdout).Encode(reply))\n}\n"},
    {0},
};

/* ---- all ---- */

#define SHELL                                                                                                          \
    .comment = "#", .quote = '"', .escapes = "$`", .open = "\"", .close = "\"", .bare_escapes = "\"$`", .before = "", .after = "",             \
    .value = "${<variable>}", .value_apart = "$<variable>",                                                                \
    .encode_before = "$(encode \"", .encode_after = "\")", .base64_before = "\"Basic $(printf %s ",                    \
    .base64_after = " | base64 | tr -d \"\\n\")\"", .given = "[ -n \"${<variable>:-}\" ]", .and = " && "

static const struct starter_language languages[] = {
    {.name = "node", .comment = "//", .run = "stepvault run STEP --code <app>.mjs", .quote = '\'', .other_quote = '"',
     .escapes = "", .open = "`", .close = "`", .bare_escapes = "`$", .before = "${", .after = "}", .alone = true,
     .value = "auths.<alias-bare><member>", .value_default = "auths.<alias-bare><member> || <default>",
     .encode_before = "encodeURIComponent(", .encode_after = ")", .base64_before = "'Basic ' + Buffer.from(",
     .base64_after = ").toString('base64')", .given = "auths.<alias-bare><member>", .and = " && ",
     .chain = "?.<step-member>", .lines = node_lines},
    {.name = "python", .comment = "#", .run = "stepvault run STEP --code <app>.py", .quote = '"', .other_quote = '\'',
     .escapes = "", .url_joint = " + ", .joint = " + ", .before = "", .after = "", .value = "auth[<property>]",
     .value_default = "(auth.get(<property>) or <default>)", .encode_before = "urllib.parse.quote(",
     .encode_after = ", safe=\"\")", .base64_before = "\"Basic \" + base64.b64encode((",
     .base64_after = ").encode()).decode()", .given = "auth.get(<property>)", .and = " and ", .chain = ", <step>",
     .lines = python_lines},
    {.name = "bash", .first = "#!/bin/bash\n", .run = "stepvault run STEP --code <app>.sh", SHELL, .lines = bash_lines},
    {.name = "curl", .wrap = "stepvault run STEP -- <shell> -c ", SHELL, .lines = curl_lines},
    {.name = "go", .comment = "//", .run = "stepvault run STEP --deliver auths -- go run main.go", .quote = '"',
     .other_quote = '`', .escapes = "", .url_joint = " + ", .joint = "+", .before = "", .after = "",
     .value = "auth[<property>]", .value_default = "withDefault(auth[<property>], <default>)",
     .encode_before = "encode(", .encode_after = ")",
     .base64_before = "\"Basic \"+base64.StdEncoding.EncodeToString([]byte(", .base64_after = "))",
     .given = "auth[<property>] != \"\"", .and = " && ", .chain = ", <step>", .lines = go_lines},
};

/* clang-format on */

const struct starter_language *starter_language_find(const char *name)
{
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        if (strcmp(languages[i].name, name) == 0)
            return &languages[i];
    }
    return NULL;
}
