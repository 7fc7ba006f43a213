/* The build's own program, not installed: checks every entry of the catalogue by the code that checks the
 * user's own, and writes them as C source to stdout. The first wrong one ends the build.
 *
 *     catalog vault/catalog/apps/airtable.json ...        in the order of their slugs */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "base/secret.h"
#include "catalog/app.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPS_MAX 4096

struct known {
    char slug[NAME_APP_MAX + 1];
    char oauth_of[NAME_APP_MAX + 1]; /* the app whose OAuth is meant; "" for none */
    bool has_oauth;                  /* facts of its own */
};

struct names {
    struct known apps[APPS_MAX];
    size_t app_count;
    char aliases[APPS_MAX][2][NAME_APP_MAX + 1];
    size_t alias_count;
};

static const struct known *find(const struct names *names, const char *slug)
{
    for (size_t i = 0; i < names->app_count; i++) {
        if (strcmp(names->apps[i].slug, slug) == 0)
            return &names->apps[i];
    }
    return NULL;
}

static enum status check_file_name(const struct app *app, const char *path, struct failure *failure)
{
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    size_t length = strlen(app->slug);

    if (strncmp(name, app->slug, length) != 0 || strcmp(name + length, ".json") != 0)
        return failure_set(failure, STATUS_INVALID, "%s: the slug in it is %s", path, app->slug);
    if (app->overrides)
        return failure_set(failure, STATUS_INVALID, "%s: overrides is for the user's own apps", path);
    return STATUS_OK;
}

static enum status remember(struct names *names, const struct app *app, const char *path,
                            struct failure *failure)
{
    const struct json *also = json_member(app->document, "also");
    struct known *known = &names->apps[names->app_count];

    if (names->app_count > 0 && strcmp(names->apps[names->app_count - 1].slug, app->slug) >= 0)
        return failure_set(failure, STATUS_INVALID, "%s does not follow in the order of the slugs", path);
    if (names->app_count == APPS_MAX || names->alias_count + json_count(also) > APPS_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "there are more than %d apps", APPS_MAX);
    snprintf(known->slug, sizeof(known->slug), "%s", app->slug);
    known->has_oauth = app_oauth_method(app) != NULL;
    for (size_t i = 0; i < app->method_count; i++) {
        if (app->methods[i].oauth_of != NULL)
            snprintf(known->oauth_of, sizeof(known->oauth_of), "%s", app->methods[i].oauth_of);
    }
    names->app_count++;
    for (size_t i = 0; i < json_count(also); i++) {
        snprintf(names->aliases[names->alias_count][0], NAME_APP_MAX + 1, "%s",
                 json_text(json_at(also, i), NULL));
        snprintf(names->aliases[names->alias_count++][1], NAME_APP_MAX + 1, "%s", app->slug);
    }
    return STATUS_OK;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\' || *text == '?')
            printf("\\%03o", (unsigned)(unsigned char)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

static enum status print_entry(const struct app *app, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, app->document);
    if (writer.failed)
        return failure_set_no_memory(failure);
    printf("    {\"%s\", ", app->slug);
    print_text(app->title);
    printf(", \"");
    for (size_t i = 0; i < app->method_count; i++)
        printf("%s%s", i > 0 ? ", " : "", app->methods[i].name);
    printf("\",\n     ");
    print_text(secret_text(&text));
    printf(", %zu},\n", text.size);
    return STATUS_OK;
}

static enum status take_file(struct names *names, const char *path, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(app_freep) struct app *app = NULL;
    enum status status = file_read_settings(path, APP_TEXT_MAX, failure, &text);

    if (status == STATUS_OK)
        status = app_parse(text.bytes, text.size, path, failure, &app);
    if (status == STATUS_OK)
        status = check_file_name(app, path, failure);
    if (status == STATUS_OK)
        status = remember(names, app, path, failure);
    return status == STATUS_OK ? print_entry(app, failure) : status;
}

/* What one entry says of another. */
static enum status check_names(const struct names *names, struct failure *failure)
{
    for (size_t i = 0; i < names->app_count; i++) {
        const struct known *app = &names->apps[i];
        const struct known *other = app->oauth_of[0] != '\0' ? find(names, app->oauth_of) : NULL;

        if (app->oauth_of[0] != '\0' && (other == NULL || !other->has_oauth))
            return failure_set(failure, STATUS_INVALID, "%s: there is no app %s with OAuth facts of its own",
                               app->slug, app->oauth_of);
    }
    for (size_t i = 0; i < names->alias_count; i++) {
        bool taken = find(names, names->aliases[i][0]) != NULL;

        for (size_t other = 0; other < i; other++)
            taken = taken || strcmp(names->aliases[other][0], names->aliases[i][0]) == 0;
        if (taken)
            return failure_set(failure, STATUS_INVALID, "%s: another app is called %s", names->aliases[i][1],
                               names->aliases[i][0]);
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    static struct names names;
    struct failure failure = {.sentence = ""};
    enum status status = STATUS_OK;

    json_start();
    printf("/* Made of vault/catalog/apps/ by vault/catalog/main.c. */\n#include \"catalog/catalog.h\"\n\n"
           "const struct catalog_entry catalog_entries[] = {\n");
    for (int i = 1; status == STATUS_OK && i < argc; i++)
        status = take_file(&names, argv[i], &failure);
    if (status == STATUS_OK)
        status = check_names(&names, &failure);
    printf("    {NULL, NULL, NULL, NULL, 0},\n};\n\nconst struct catalog_alias catalog_aliases[] = {\n");
    for (size_t i = 0; i < names.alias_count; i++)
        printf("    {\"%s\", \"%s\"},\n", names.aliases[i][0], names.aliases[i][1]);
    printf("    {NULL, NULL},\n};\n");
    if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = failure_set(&failure, STATUS_FAILED, "the catalogue's source cannot be written");
    if (status != STATUS_OK)
        fprintf(stderr, "%s\n", failure.sentence);
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
