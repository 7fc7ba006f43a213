/* code: the starters. */
#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "command.h"
#include "intake.h"
#include "output.h"
#include "starter.h"

#define LANGUAGE_DEFAULT "node"

/* The first of the app's methods that there is a starter for; where there is none, why not of the first. */
static enum status read_any(const struct app *app, struct failure *failure, struct starter **ret_starter)
{
    enum status first = starter_read(app, &app->methods[0], failure, ret_starter);

    for (size_t i = 1; first != STATUS_OK && i < app->method_count; i++) {
        struct failure ignored;

        if (starter_read(app, &app->methods[i], &ignored, ret_starter) == STATUS_OK)
            return STATUS_OK;
    }
    return first;
}

static enum status cmd_code(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(starter_freep) struct starter *starter = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    const char *name = option_text(&invocation->options, "method");
    const char *language = option_text(&invocation->options, "lang");
    const struct app_method *method = NULL;
    char slug[NAME_APP_MAX + 1];
    enum status status = catalog_slug(command_argument(invocation, 0), failure, slug);

    if (status == STATUS_OK)
        status = catalog_find(slug, failure, &app, NULL);
    if (status == STATUS_OK && name != NULL)
        status = intake_find_method(app, slug, name, failure, &method);
    if (status == STATUS_OK)
        status =
            method != NULL ? starter_read(app, method, failure, &starter) : read_any(app, failure, &starter);
    if (status == STATUS_OK)
        status = starter_print(starter, language != NULL ? language : LANGUAGE_DEFAULT, failure, &text);
    return status == STATUS_OK ? output_write(text.bytes, text.size, failure) : status;
}

static const struct option_rule code_options[] = {
    {"lang", STARTER_LANGUAGES, false, "The language; default " LANGUAGE_DEFAULT "."},
    {"method", "M", false, "How the account was made; default the first that can be tested."},
    {0     },
};

/* clang-format off */
const struct command cmd_code_commands[] = {
    {
        .name = "code", .run = cmd_code, .options = code_options, .least = 1, .most = 1,
        .arguments = {"APP"},
        .usage = "APP [--lang " STARTER_LANGUAGES "] [--method M]",
        .summary = "print code that is authorised",
        .help = "Prints a program that sends the request by which the catalogue tests an account of the app, with the "
                "credential where it belongs: a beginning for a step. Its first lines are what is typed before it runs. "
                "Nothing secret is in it, or in the argv of what it runs. It ends with an error if the reply is none of "
                "success, and follows no redirect.",
    },
    {0},
};
/* clang-format on */
