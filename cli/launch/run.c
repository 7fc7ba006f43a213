/* stepvault run: ask for the step's projection and become the command with it. */
#include "base/cleanup.h"
#include "client/ask.h"
#include "client/received.h"
#include "launch/auths.h"
#include "launch/credentials.h"
#include "launch/environment.h"
#include "launch/handover.h"
#include "launch/launch.h"
#include "launch/program.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

/* Everything that one run holds until the exec. */
struct run {
    struct arguments arguments;
    struct launch launch;
    struct envfile envfile;
    struct environment_plan plan;
    struct secret reply;
    struct secret drop; /* names of the reply, each ended by a NUL */
    struct received received;
    struct environment environment;
    char program[PATH_MAX];
    bool program_known;
    char auths_path[SEALED_PATH_SIZE];
    struct credentials credentials;
    int exit_status; /* of a failure */
};

static void run_reset(struct run *run)
{
    credentials_remove(&run->credentials);
    environment_reset(&run->environment);
    received_reset(&run->received);
    secret_reset(&run->drop);
    secret_reset(&run->reply);
    environment_plan_reset(&run->plan);
    envfile_reset(&run->envfile);
    arguments_reset(&run->arguments);
}

static const char *path_list(const char *value)
{
    return value != NULL ? value : PROGRAM_DEFAULT_PATH;
}

static enum status program_failed(struct run *run, enum status status)
{
    run->exit_status = program_exit(status);
    return status;
}

/* ---- before the question ---- */

static enum status plan_prepare(struct run *run, struct failure *failure)
{
    const struct arguments *arguments = &run->arguments;
    bool done = environment_read_outer(&run->plan);

    run->plan.pristine = arguments->pristine;
    for (size_t i = 0; done && i < arguments->keep_count; i++)
        done = nameset_add(&run->plan.keep, arguments->keep[i], strlen(arguments->keep[i]), NULL);
    return done ? STATUS_OK : failure_set_no_memory(failure);
}

static bool is_kept(const struct run *run, const char *name)
{
    return nameset_has(&run->plan.keep, name, strlen(name));
}

/* Closes what an outer run left open for its own step. The descriptors are looked for, as the variables that
 * tell of them may be lost on the way here (env -i), and they are not. What outer code was given may be given
 * to this step's, and is closed by stepvault-code. */
static void outer_close(const struct run *run)
{
    const char *folder = getenv(CREDENTIALS_VARIABLE);
    const char *names[3];
    size_t count = 0;

    if (run->arguments.code == NULL)
        names[count++] = SEALED_CODE_MEMFD;
    if (!is_kept(run, AUTHS_VARIABLE))
        names[count++] = AUTHS_MEMFD;
    if (!is_kept(run, CREDENTIALS_VARIABLE))
        names[count++] = CREDENTIALS_MEMFD;
    sealed_close_all(names, count);
    if (folder != NULL && !is_kept(run, CREDENTIALS_VARIABLE))
        credentials_remove_outer(folder);
}

static bool element_is(struct wire_value element, const char *key, const char *expected)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct wire_value value;

    return wire_member(element, key, &value) && wire_text(value, &text) &&
           strcmp(secret_text(&text), expected) == 0;
}

/* True if the vault gives this step a PATH of its own, in which the command may still be found. Asked of
 * ShowStep, which hands out no value, and only where the caller's own PATH does not lead to the command. */
static bool step_has_path(const struct run *run)
{
    CLEANUP(secret_reset) struct secret parameters = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    struct failure ignored;
    struct wire_value names;
    struct wire_value element;
    size_t position = 0;

    if (!secret_append_text(&parameters, "\"path\":\"") ||
        !secret_append_text(&parameters, run->arguments.step) || !secret_append_text(&parameters, "\"") ||
        launch_ask(&run->launch, "ShowStep", &parameters, false, &ignored, &reply) != STATUS_OK ||
        !wire_member(ask_parameters(&reply), "names", &names))
        return false;
    while (wire_element(names, &position, &element)) {
        if (element_is(element, "name", "PATH") && element_is(element, "state", "given"))
            return true;
    }
    return false;
}

/* What is looked for in PATH: the command, or what runs the code. */
static const char *program_name(const struct run *run)
{
    return run->arguments.code != NULL ? run->arguments.language->runtime : run->arguments.command[0];
}

static enum status program_look(struct run *run, struct failure *failure)
{
    const char *name = program_name(run);
    enum status status = program_find(name, path_list(getenv("PATH")), failure, run->program);

    run->program_known = status == STATUS_OK;
    if (status == STATUS_OK ||
        (strchr(name, '/') == NULL && name[0] != '\0' &&
         (envfile_find(&run->envfile, "PATH", strlen("PATH")) != NULL || step_has_path(run))))
        return STATUS_OK;
    return program_failed(run, status);
}

static enum status handover_look(struct run *run, struct failure *failure)
{
    enum status status =
        run->arguments.code != NULL ? handover_check_code(run->arguments.code, failure) : STATUS_OK;

    return status == STATUS_OK ? handover_check(&run->arguments, failure) : program_failed(run, status);
}

/* ---- the question ---- */

static bool append_deliver(const struct arguments *arguments, struct secret *parameters)
{
    const struct {
        const char *name;
        bool wanted;
    } forms[] = {
        {"env",         arguments->deliver_env || (!arguments->deliver_auths && !arguments->deliver_credentials)},
        {"auths",       arguments->deliver_auths                                                                },
        {"credentials", arguments->deliver_credentials                                                          },
    };
    const char *before = "\"";
    bool done = secret_append_text(parameters, ",\"deliver\":[");

    for (size_t i = 0; done && i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (!forms[i].wanted)
            continue;
        done = secret_append_text(parameters, before) && secret_append_text(parameters, forms[i].name) &&
               secret_append_byte(parameters, '"');
        before = ",\"";
    }
    return done && secret_append_byte(parameters, ']');
}

static bool append_keep(const struct arguments *arguments, struct secret *parameters)
{
    bool done = secret_append_text(parameters, ",\"keep\":[");

    for (size_t i = 0; done && i < arguments->keep_count; i++)
        done = secret_append_text(parameters, i > 0 ? "," : "") &&
               launch_append_json(parameters, arguments->keep[i]);
    return done && secret_append_byte(parameters, ']');
}

static bool append_claims(const struct run *run, struct secret *parameters)
{
    const struct arguments *arguments = &run->arguments;
    const char *command = arguments->code != NULL ? arguments->code
                          : run->program_known    ? run->program
                                                  : NULL;
    char absolute[PATH_MAX];

    if (command != NULL)
        program_absolute(command, absolute);
    return launch_append_text(parameters, "purpose", "run") &&
           (arguments->reason == NULL || launch_append_text(parameters, "reason", arguments->reason)) &&
           (command == NULL || launch_append_text(parameters, "command", absolute)) &&
           (arguments->code == NULL || secret_append_text(parameters, ",\"empty_auths\":true"));
}

static enum status question_write(struct run *run, struct failure *failure, struct secret *parameters)
{
    const struct arguments *arguments = &run->arguments;
    enum status status;

    if (!secret_append_text(parameters, "\"step\":\"") || !secret_append_text(parameters, arguments->step) ||
        !secret_append_text(parameters, "\",\"form\":\"environment\"") ||
        !append_deliver(arguments, parameters) || !secret_append_text(parameters, ",\"inherited\":"))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    status = environment_append_names(&run->plan, failure, parameters);
    if (status != STATUS_OK)
        return status;
    if ((arguments->keep_count > 0 && !append_keep(arguments, parameters)) ||
        (run->envfile.reference_count > 0 && (!secret_append_text(parameters, ",\"references\":") ||
                                              !envfile_append_references(&run->envfile, parameters))) ||
        !append_claims(run, parameters))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    return STATUS_OK;
}

/* The names are all unescaped before any is put into the set: the memory moves while it grows. */
static enum status drop_read(struct run *run, struct wire_value parameters, struct failure *failure)
{
    struct wire_value list;
    struct wire_value element;
    size_t position = 0;

    if (!wire_member(parameters, "drop", &list))
        return STATUS_OK;
    if (!wire_is_array(list))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no proper drop");
    while (wire_element(list, &position, &element)) {
        if (!wire_text(element, &run->drop) || !secret_append_byte(&run->drop, '\0'))
            return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no proper drop");
    }
    for (size_t at = 0; at < run->drop.size;) {
        const char *name = (const char *)run->drop.bytes + at;

        if (!nameset_add(&run->plan.drop, name, strlen(name), NULL))
            return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the environment");
        at += strlen(name) + 1;
    }
    return STATUS_OK;
}

static unsigned parts_wanted(const struct run *run)
{
    return (run->arguments.deliver_auths ? RECEIVED_AUTHS : 0u) |
           (run->arguments.deliver_credentials ? RECEIVED_CREDENTIALS : 0u) |
           (run->envfile.reference_count > 0 ? RECEIVED_REFERENCES : 0u);
}

static enum status project(struct run *run, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret parameters = {0};
    struct wire_value answer;
    enum status status = question_write(run, failure, &parameters);

    if (status == STATUS_OK)
        status = launch_ask(&run->launch, "Project", &parameters, true, failure, &run->reply);
    if (status != STATUS_OK)
        return status;
    answer = ask_parameters(&run->reply);
    status = received_read(answer, parts_wanted(run), failure, &run->received);
    return status == STATUS_OK ? drop_read(run, answer, failure) : status;
}

/* ---- the child ---- */

static enum status child_prepare(struct run *run, struct failure *failure)
{
    enum status status;

    run->plan.received = &run->received;
    run->plan.envfile = &run->envfile;
    status = envfile_settle(&run->envfile, run->received.resolved, run->received.resolved_count, failure);
    if (status == STATUS_OK && run->arguments.deliver_auths) {
        status = auths_deliver(&run->received.auths, failure, run->auths_path);
        run->plan.auths_path = run->auths_path;
    }
    if (status == STATUS_OK && run->arguments.deliver_credentials) {
        status = credentials_deliver(&run->received, failure, &run->credentials);
        run->plan.credentials_folder = run->credentials.path;
    }
    if (status == STATUS_OK)
        status = environment_build(&run->plan, failure, &run->environment);
    return status;
}

/* The search is in the child's PATH, which is the caller's unless the vault gave another. */
static enum status program_settle(struct run *run, struct failure *failure)
{
    const char *path = environment_value(&run->environment, "PATH");
    enum status status;

    if (run->program_known && strcmp(path_list(path), path_list(getenv("PATH"))) == 0)
        return STATUS_OK;
    status = program_find(program_name(run), path_list(path), failure, run->program);
    return status == STATUS_OK ? status : program_failed(run, status);
}

static enum status child_become(struct run *run, struct failure *failure)
{
    enum status status = child_prepare(run, failure);

    if (status == STATUS_OK)
        status = program_settle(run, failure);
    if (status == STATUS_OK)
        status = environment_check_size(&run->environment, run->program, run->arguments.command, failure);
    if (status != STATUS_OK)
        return status;
    if (handover_is_wanted(&run->arguments))
        return handover_exec(&run->arguments, &run->received, &run->envfile, &run->environment, failure);
    status =
        program_exec(run->program, run->arguments.command, (char *const *)run->environment.entries, failure);
    return program_failed(run, status);
}

static enum status run_step(struct run *run, int argc, char **argv, struct failure *failure)
{
    char command[] = "run";
    char help[] = "help";
    char *const help_argv[] = {argv[0], help, command, NULL};
    enum status status = arguments_parse(ARGUMENTS_RUN, argc, argv, failure, &run->arguments);

    if (status == STATUS_OK && run->arguments.help)
        return launch_manage(help_argv, failure);
    if (status == STATUS_OK)
        status = launch_prepare("run", &run->arguments, argv, failure, &run->launch);
    if (status == STATUS_OK)
        status = plan_prepare(run, failure);
    if (status != STATUS_OK)
        return status;
    outer_close(run);
    if (handover_is_wanted(&run->arguments))
        status = handover_look(run, failure);
    if (status == STATUS_OK)
        status = envfile_read(&run->arguments.env_file, failure, &run->envfile);
    if (status == STATUS_OK && run->arguments.deliver_credentials)
        status = credentials_prepare(failure, &run->credentials);
    if (status == STATUS_OK)
        status = program_look(run, failure);
    if (status == STATUS_OK)
        status = project(run, failure);
    return status == STATUS_OK ? child_become(run, failure) : status;
}

int run_main(int argc, char **argv)
{
    CLEANUP(run_reset) struct run run = {.exit_status = PROGRAM_RUN_FAILED};
    struct failure failure = {0};

    run_step(&run, argc, argv, &failure);
    report_failure(&failure, "run");
    return run.exit_status;
}
