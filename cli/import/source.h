/* Where imports come from: each source reads one format into a plan. Of a fault in the whole of it (it is not
 * JSON, a CSV's quote is not closed) a status and a sentence say so; of a fault in one entry, or in one line
 * of a .env file, a refused row. */
#ifndef STEPVAULT_IMPORT_SOURCE_H
#define STEPVAULT_IMPORT_SOURCE_H

#include "base/status.h"
#include "dotenv.h"
#include "import/plan.h"
#include "json/json.h"

#include <stdbool.h>

#define SOURCE_SIZE_MAX DOTENV_SIZE_MAX /* bytes of a file */

/* A file's whole content; `name` is what sentences call it. */
struct source_text {
    const char *name;
    const void *bytes;
    size_t size;
};

/* .env text. `*ret_quoted_line` as in struct dotenv. */
enum status source_read_dotenv(const struct source_text *text, enum dotenv_dialect dialect, struct plan *plan,
                               struct failure *failure, size_t *ret_quoted_line);

/* A JSON object of strings; the same within `data`, or within `data` within `data`, as `vault kv get
 * -format=json` prints it; or an array of objects with `key` and `value`, as `infisical export --format=json`
 * prints it. */
enum status source_read_json(const struct json *document, const char *name, struct plan *plan,
                             struct failure *failure);

/* Bitwarden's .json export, not encrypted. */
enum status source_read_bitwarden(const struct json *document, const char *name, struct plan *plan,
                                  struct failure *failure);
bool source_is_bitwarden(const struct json *document);

/* 1Password: `export.data` of a .1pux archive, and its CSV export. */
enum status source_read_1pux(const struct json *document, const char *name, struct plan *plan,
                             struct failure *failure);
bool source_is_1pux(const struct json *document);
enum status source_read_1password_csv(const struct source_text *text, struct plan *plan,
                                      struct failure *failure);
bool source_is_1password_csv(const struct source_text *text);

/* How a folder is read. */
struct source_folder {
    const char *path;
    bool raw;    /* keep one newline at the end of a value */
    bool follow; /* symbolic links that lead out of it, too */
    /* Called when an entry was read; of pass, where each of them takes a while. NULL: nobody listens. */
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
};

/* A folder of files: a variable of each, called as the file. Names that begin with a dot are none. */
enum status source_read_folder(const struct source_folder *folder, struct plan *plan,
                               struct failure *failure);

/* A password store: `gpg` decrypts each entry, and is given it as its standard input. */
enum status source_read_pass(const struct source_folder *folder, struct plan *plan, struct failure *failure);
bool source_is_pass(const char *path);

#endif
