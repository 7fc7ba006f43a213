/* Choosing method, client, flow and variables. */
#include "attempt.h"

#include "base/cleanup.h"
#include "browser.h"
#include "catalog/catalog.h"
#include "catalog/facts.h"
#include "catalog/provider.h"
#include "output.h"
#include "prompt.h"
#include "redirect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX 384

static const char browser_flow[] = "browser";
static const char paste_flow[] = "paste";
static const char device_flow[] = "device";
static const char client_flow[] = "client_credentials";
static const char import_flow[] = "import";

void attempt_reset(struct attempt *attempt)
{
    intake_reset(&attempt->intake);
    app_freep(&attempt->other);
    secret_reset(&attempt->provider);
    secret_reset(&attempt->properties);
    exchange_answer_reset(&attempt->reconnected);
    exchange_answer_reset(&attempt->others);
    exchange_answer_reset(&attempt->clients);
}

void attempt_name(const struct json *object, char destination[ATTEMPT_CLIENT_SIZE])
{
    const char *app = json_member_text(object, "app");
    const char *label = json_member_text(object, "label");

    snprintf(destination, ATTEMPT_CLIENT_SIZE, "%s:%s", app != NULL ? app : "", label != NULL ? label : "");
}

static const char *option(const struct attempt *attempt, const char *name)
{
    return option_text(&attempt->invocation->options, name);
}

/* One call of its own, beside the one that connects. `name` and `value`: its member, unless NULL. */
static enum status ask(const struct attempt *attempt, const char *method, const char *name, const char *value,
                       struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status = exchange_start(attempt->invocation, option(attempt, "key-file"), failure, &exchange);

    if (status != STATUS_OK)
        return status;
    exchange_question(&question, method);
    if (value != NULL)
        json_add_text(&question.writer, name, value);
    return exchange_ask(&exchange, &question, failure, ret_answer);
}

/* ---- the app and its method ---- */

/* Options that say how to fetch tokens. */
static const char *fetching_option(const struct attempt *attempt)
{
    static const char *const names[] = {"reconnect", "client", "scope", "user-scope", "var",
                                        "issuer",    "device", "paste", "import",     "client-credentials",
                                        "port"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (option_flag(&attempt->invocation->options, names[i]))
            return names[i];
    }
    return NULL;
}

static bool has_device(const struct json *oauth)
{
    return json_member(oauth, "device_url") != NULL || facts_has_grant(oauth, "device_code");
}

/* What is looked up at the provider may have it: whoever asks for it is told there. */
static bool may_have_device(const struct json *oauth)
{
    return has_device(oauth) || json_member(oauth, "issuer") != NULL ||
           json_member(oauth, "metadata_url") != NULL;
}

static bool fetches(const struct app_method *method, bool device)
{
    CLEANUP(app_freep) struct app *other = NULL;
    const struct json *oauth = NULL;
    struct failure failure;

    return method->kind == APP_OAUTH2 && catalog_oauth(method, &failure, &other, &oauth) == STATUS_OK &&
           oauth != NULL && (!device || may_have_device(oauth));
}

/* That by which the account was connected. */
static bool take_former(struct attempt *attempt, bool device)
{
    const char *name = json_member_text(attempt->account, "app_method");
    const struct app_method *method = name != NULL ? app_find_method(attempt->intake.app, name) : NULL;

    if (method == NULL || !fetches(method, device))
        return false;
    attempt->intake.method = method;
    return true;
}

/* Of the methods that fetch tokens the first, and with --device the first that has it. An account that was
 * connected by one must not come to another by chance. */
static enum status take_fetching(struct attempt *attempt, struct failure *failure)
{
    const struct app *app = attempt->intake.app;
    bool device = option_flag(&attempt->invocation->options, "device");
    char list[LIST_MAX] = "";
    size_t count = 0;

    if (attempt->intake.method != NULL)
        return STATUS_OK;
    for (size_t i = 0; i < app->method_count; i++) {
        if (!fetches(&app->methods[i], device))
            continue;
        if (attempt->intake.method == NULL)
            attempt->intake.method = &app->methods[i];
        snprintf(list + strlen(list), LIST_MAX - strlen(list), "%s%s", count++ > 0 ? ", " : "",
                 app->methods[i].name);
    }
    if (attempt->account != NULL && count > 1 && take_former(attempt, device))
        return STATUS_OK;
    if (attempt->account != NULL && count > 1)
        return failure_set(failure, STATUS_AMBIGUOUS,
                           "%s was connected by one of several methods, and --method says which: %s",
                           option(attempt, "reconnect"), list);
    return STATUS_OK;
}

static enum status read_account(struct attempt *attempt, struct failure *failure)
{
    const char *name = option(attempt, "reconnect");
    enum status status;

    if (name == NULL)
        return STATUS_OK;
    if (option(attempt, "label") != NULL)
        return failure_set(failure, STATUS_USAGE,
                           "--label and --reconnect exclude each other: the label stays");
    status = ask(attempt, "ShowAccount", "account", name, failure, &attempt->reconnected);
    if (status != STATUS_OK)
        return status;
    attempt->account = json_member(attempt->reconnected.parameters, "account");
    if (json_member_text(attempt->account, "id") == NULL || json_member_text(attempt->account, "app") == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no account");
    return STATUS_OK;
}

/* The app that is typed, or that of the account. */
static enum status choose_app(const struct attempt *attempt, struct failure *failure,
                              char ret_slug[NAME_APP_MAX + 1])
{
    const char *typed = command_argument(attempt->invocation, 0);
    const char *of_account = json_member_text(attempt->account, "app");
    enum status status;

    if (typed == NULL && of_account == NULL)
        return failure_set(failure, STATUS_USAGE, "an argument is missing: stepvault connect APP");
    status = catalog_slug(typed != NULL ? typed : of_account, failure, ret_slug);
    if (status == STATUS_OK && of_account != NULL && strcmp(of_account, ret_slug) != 0)
        return failure_set(failure, STATUS_INVALID, "%s is an account of %s, not of %s",
                           option(attempt, "reconnect"), of_account, ret_slug);
    return status;
}

enum status attempt_choose_method(struct attempt *attempt, struct failure *failure)
{
    const char *fetching = fetching_option(attempt);
    char slug[NAME_APP_MAX + 1];
    enum status status = read_account(attempt, failure);

    if (status == STATUS_OK)
        status = choose_app(attempt, failure, slug);
    if (status != STATUS_OK)
        return status;
    if (option(attempt, "issuer") != NULL) {
        memcpy(attempt->intake.slug, slug, sizeof(slug));
        return STATUS_OK;
    }
    status = intake_start(slug, option(attempt, "method"), true, failure, &attempt->intake);
    if (status == STATUS_OK && fetching == NULL)
        return intake_choose(&attempt->intake, failure);
    if (status == STATUS_OK && attempt->intake.app != NULL)
        status = take_fetching(attempt, failure);
    if (status != STATUS_OK)
        return status;
    if (attempt->intake.app == NULL)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "the catalogue has no app %s; a provider with discovery is named with --issuer",
                           slug);
    if (!intake_fetches(&attempt->intake))
        return failure_set(failure, STATUS_USAGE, "--%s is for methods with OAuth; %s%s%s is none", fetching,
                           slug, attempt->intake.method != NULL ? " " : "",
                           attempt->intake.method != NULL ? attempt->intake.method->name : "");
    return STATUS_OK;
}

/* ---- facts ---- */

static enum status find_facts(struct attempt *attempt, struct failure *failure)
{
    const char *issuer = option(attempt, "issuer");
    enum status status;

    if (issuer != NULL)
        return provider_write_issuer(attempt->intake.slug, issuer, failure, &attempt->provider);
    status = catalog_oauth(attempt->intake.method, failure, &attempt->other, &attempt->oauth);
    if (status == STATUS_OK)
        status = provider_write(attempt->intake.app, attempt->intake.method, attempt->oauth, failure,
                                &attempt->provider);
    attempt->oauth_of = attempt->intake.method->oauth_of;
    return status;
}

/* ---- the client ---- */

/* The client of `app` with this label; of NULL its default, or its only one. `ret_count`: of the app's. */
static const struct json *find_client(const struct json *clients, const char *app, const char *label,
                                      size_t *ret_count)
{
    const struct json *found = NULL;

    *ret_count = 0;
    for (size_t i = 0; i < json_count(clients); i++) {
        const struct json *client = json_at(clients, i);

        if (!json_member_is(client, "app", app))
            continue;
        ++*ret_count;
        if (json_member_is(client, "label", label != NULL ? label : "default"))
            return client;
        found = client;
    }
    return label == NULL && *ret_count == 1 ? found : NULL;
}

static enum status refuse_missing(const struct attempt *attempt, const char *label, struct failure *failure)
{
    const char *app = attempt->oauth_of != NULL ? attempt->oauth_of : attempt->intake.slug;
    char redirect[REDIRECT_TEXT_SIZE] = "";

    if (attempt->oauth != NULL)
        redirect_describe(attempt->oauth, redirect);
    return failure_set(
        failure, STATUS_NOT_FOUND,
        "there is no client%s%s of yours for %s; register one with the provider%s%s, and add what it "
        "gives you with: stepvault client add %s%s%s%s",
        label != NULL ? " " : "", label != NULL ? label : "", attempt->intake.slug,
        redirect[0] != '\0' ? " with " : "", redirect, app, label != NULL ? " --label " : "",
        label != NULL ? label : "",
        attempt->oauth != NULL && redirect_is_own(attempt->oauth) ? " --redirect-uri URL" : "");
}

/* `work`, `google:work`, or what the account was connected by. A client of the app comes before one of the
 * app whose facts of OAuth it shares. */
static enum status choose_client(struct attempt *attempt, struct failure *failure)
{
    const char *wanted = option(attempt, "client");
    const struct json *clients;
    const struct json *client = NULL;
    const char *label = NULL;
    const char *apps[] = {attempt->intake.slug, attempt->oauth_of};
    char app[NAME_APP_MAX + 1];
    size_t count = 0;
    enum status status = ask(attempt, "ListClients", NULL, NULL, failure, &attempt->clients);

    if (status != STATUS_OK)
        return status;
    clients = json_member(attempt->clients.parameters, "clients");
    if (wanted == NULL)
        wanted = json_member_text(attempt->account, "client");
    if (wanted != NULL && strcspn(wanted, ":") < sizeof(app) && strchr(wanted, ':') != NULL) {
        snprintf(app, sizeof(app), "%.*s", (int)strcspn(wanted, ":"), wanted);
        apps[0] = app;
        apps[1] = NULL;
        label = strchr(wanted, ':') + 1;
    } else {
        label = wanted;
    }
    for (size_t i = 0; i < 2 && client == NULL && apps[i] != NULL; i++) {
        client = find_client(clients, apps[i], label, &count);
        if (client == NULL && label == NULL && count > 1)
            return failure_set(failure, STATUS_AMBIGUOUS,
                               "there are %zu clients of %s, and none of them is `default`", count, apps[i]);
    }
    if (client == NULL)
        return refuse_missing(attempt, label, failure);
    attempt_name(client, attempt->client);
    attempt->redirect_uri = json_member_text(client, "redirect_uri");
    return STATUS_OK;
}

/* ---- the flow ---- */

static bool is_loopback(const char *uri)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (strncmp(uri, hosts[i], strlen(hosts[i])) == 0 && strchr(":/", uri[strlen(hosts[i])]) != NULL)
            return true;
    }
    return false;
}

/* Where the provider's answer comes back: by a browser that finds our listener, or by pasting alone. */
static const char *redirect_flow(const struct attempt *attempt)
{
    bool pastes = attempt->redirect_uri != NULL ? !is_loopback(attempt->redirect_uri)
                                                : attempt->oauth != NULL && redirect_is_own(attempt->oauth);

    return pastes ? paste_flow : browser_flow;
}

/* What suits where nothing was said (research/oauth.md 3.8). */
static const char *usual_flow(const struct attempt *attempt)
{
    const struct json *oauth = attempt->oauth;
    const struct preference *preference = &attempt->preference;
    bool port = option(attempt, "port") != NULL;

    /* What was connected without a person is connected so again. */
    if (json_member_is(attempt->account, "method", client_flow))
        return client_flow;
    if (oauth != NULL && has_device(oauth) && !port &&
        (preference->device || (attempt->remote && !preference->paste)))
        return device_flow;
    if (oauth != NULL && !facts_has_grant(oauth, "authorization_code"))
        return facts_has_grant(oauth, "client_credentials") ? client_flow : device_flow;
    return preference->paste && !port ? paste_flow : redirect_flow(attempt);
}

static enum status choose_flow(struct attempt *attempt, struct failure *failure)
{
    const struct {
        const char *option;
        const char *flow;
    } flows[] = {
        {"device",             device_flow},
        {"paste",              paste_flow },
        {"client-credentials", client_flow},
        {"import",             import_flow},
    };
    size_t chosen = 0;
    enum status status = preference_read(failure, &attempt->preference);

    if (status != STATUS_OK)
        return status;
    attempt->remote = browser_is_remote();
    for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++) {
        if (option_flag(&attempt->invocation->options, flows[i].option)) {
            attempt->flow = flows[i].flow;
            chosen++;
        }
    }
    if (chosen > 1)
        return failure_set(failure, STATUS_USAGE,
                           "--device, --paste, --client-credentials and --import exclude each other");
    if (attempt->flow == device_flow && attempt->oauth != NULL && !may_have_device(attempt->oauth))
        return failure_set(failure, STATUS_REFUSED, "%s has no device flow", attempt->intake.slug);
    attempt->flow_is_ours = chosen == 0;
    if (attempt->flow_is_ours)
        attempt->flow = usual_flow(attempt);
    if ((attempt->flow == browser_flow || attempt->flow == paste_flow) && attempt->oauth != NULL &&
        redirect_is_own(attempt->oauth) && attempt->redirect_uri == NULL)
        return failure_set(
            failure, STATUS_REFUSED,
            "%s sends browsers to an address of yours only, and the client %s has none; it is added "
            "by: stepvault client add %.*s --replace --redirect-uri URL",
            attempt->intake.slug, attempt->client, (int)strcspn(attempt->client, ":"), attempt->client);
    return STATUS_OK;
}

bool attempt_fall_back(struct attempt *attempt)
{
    if (!attempt->flow_is_ours || attempt->flow != device_flow || attempt->oauth == NULL ||
        !facts_has_grant(attempt->oauth, "authorization_code"))
        return false;
    attempt->flow_is_ours = false;
    attempt->flow = redirect_flow(attempt);
    return true;
}

/* ---- the account's variables ---- */

static const char *given_variable(const struct attempt *attempt, const char *name)
{
    size_t position = 0;
    const char *word;

    while ((word = option_next(&attempt->invocation->options, "var", &position)) != NULL) {
        if (strncmp(word, name, strlen(name)) == 0 && word[strlen(name)] == '=')
            return word + strlen(name) + 1;
    }
    return NULL;
}

/* Each --var names a field of the method that is no secret. */
static enum status check_variables(const struct attempt *attempt, struct failure *failure)
{
    size_t position = 0;
    const char *word;

    while ((word = option_next(&attempt->invocation->options, "var", &position)) != NULL) {
        const struct app_method *method = attempt->intake.method;
        const struct app_field *field = NULL;
        char name[NAME_PROPERTY_MAX + 1];

        if (strchr(word, '=') == NULL)
            return failure_set(failure, STATUS_USAGE, "--var wants NAME=VALUE");
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
        if (method != NULL)
            field = app_find_field(method, name);
        if (field == NULL)
            return failure_set(failure, STATUS_NOT_FOUND, "an account of %s has no %.64s",
                               attempt->intake.slug, name);
        if (field->hidden)
            return prompt_refuse_argument(word, failure);
    }
    return STATUS_OK;
}

/* What a flow brings needs no asking; what an account that is connected anew has, the agent knows. */
static bool is_asked(const struct attempt *attempt, const struct app_field *field)
{
    return field->from == NULL && !field->unasked && attempt->account == NULL;
}

static enum status write_variables(const struct attempt *attempt, struct json_writer *writer,
                                   struct failure *failure)
{
    const struct app_method *method = attempt->intake.method;
    const bool asks = isatty(STDIN_FILENO) && prompt_has_terminal();
    char missing[LIST_MAX] = "";
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && method != NULL && i < method->field_count; i++) {
        CLEANUP(secret_reset) struct secret value = {0};
        const struct app_field *field = &method->fields[i];
        const char *given = given_variable(attempt, field->name);

        if (given == NULL && is_asked(attempt, field)) {
            if (asks)
                status = intake_ask_field(field, failure, &value);
            else if (field->fallback == NULL && field->required)
                snprintf(missing + strlen(missing), LIST_MAX - strlen(missing), "%s%s",
                         missing[0] != '\0' ? ", " : "", field->name);
        } else if (given != NULL) {
            status = app_check_value(field, given, failure);
            if (status == STATUS_OK && !secret_append_text(&value, given))
                status = failure_set_no_memory(failure);
        }
        if (status == STATUS_OK && value.size > 0)
            json_add_bytes(writer, field->name, value.bytes, value.size);
    }
    if (status == STATUS_OK && missing[0] != '\0')
        return failure_set(failure, STATUS_INVALID, "an account of %s needs %s, given with --var NAME=VALUE",
                           attempt->intake.slug, missing);
    return status;
}

/* ---- the call ---- */

static void write_list(const struct attempt *attempt, const char *option_name, const char *member,
                       struct json_writer *writer)
{
    size_t position = 0;
    const char *text;

    if (option(attempt, option_name) == NULL)
        return;
    json_open_array(writer, member);
    while ((text = option_next(&attempt->invocation->options, option_name, &position)) != NULL)
        json_add_text(writer, NULL, text);
    json_close_array(writer);
}

/* Once, because it may ask. */
static enum status fill_properties(struct attempt *attempt, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret token = {0};
    struct json_writer writer;
    enum status status = check_variables(attempt, failure);

    json_writer_start(&writer, &attempt->properties);
    json_open_object(&writer, NULL);
    if (status == STATUS_OK)
        status = write_variables(attempt, &writer, failure);
    if (status == STATUS_OK && attempt->flow == import_flow)
        status = prompt_value("oauth_refresh_token", false, failure, &token);
    if (status == STATUS_OK && attempt->flow == import_flow && token.size == 0)
        status = failure_set(failure, STATUS_INVALID, "the value of oauth_refresh_token is empty");
    if (token.size > 0)
        json_add_bytes(&writer, "oauth_refresh_token", token.bytes, token.size);
    json_close_object(&writer);
    if (status == STATUS_OK && writer.failed)
        return failure_set(failure, STATUS_INVALID, "a value is not UTF-8 text, or memory is out");
    return status;
}

enum status attempt_prepare(struct attempt *attempt, struct failure *failure)
{
    enum status status =
        option_number(&attempt->invocation->options, "port", UINT16_MAX, 0, failure, &attempt->port);

    if (status == STATUS_OK)
        status = find_facts(attempt, failure);
    if (status == STATUS_OK)
        status = choose_client(attempt, failure);
    if (status == STATUS_OK)
        status = ask(attempt, "ListAccounts", "app", attempt->intake.slug, failure, &attempt->others);
    if (status == STATUS_OK)
        status = choose_flow(attempt, failure);
    return status == STATUS_OK ? fill_properties(attempt, failure) : status;
}

void attempt_write(const struct attempt *attempt, struct json_writer *writer)
{
    json_add_text(writer, "app", attempt->intake.slug);
    json_add_bytes(writer, "provider", attempt->provider.bytes, attempt->provider.size);
    json_add_text(writer, "flow", attempt->flow);
    if (attempt->intake.method != NULL)
        json_add_text(writer, "method", attempt->intake.method->name);
    json_add_text(writer, "client", attempt->client);
    if (attempt->account != NULL)
        json_add_text(writer, "account", json_member_text(attempt->account, "id"));
    write_list(attempt, "scope", "scopes", writer);
    write_list(attempt, "user-scope", "user_scopes", writer);
    if (attempt->port != 0)
        json_add_number(writer, "port", attempt->port);
    json_add_raw(writer, "properties", attempt->properties.bytes, attempt->properties.size);
}
