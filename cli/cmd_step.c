/* step: paths that are run, and what each of their names comes from. */
#include "base/cleanup.h"
#include "command.h"
#include "exchange.h"
#include "output.h"

static void add_step(struct output_table *table, const struct json *step)
{
    bool is_step = json_member_boolean(step, "step", false);

    output_table_add(table, json_member_text(step, "path"));
    output_table_add(table, is_step ? "step" : "folder");
    output_table_add(table, json_member_boolean(step, "inherits", true) ? "inherits" : "no-inherit");
}

enum status cmd_step_list(struct invocation *invocation, struct failure *failure)
{
    static const char *const headings[] = {"PATH", "KIND", "INHERITANCE"};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *steps;
    enum status status;

    output_table_start(&table, 3, headings);
    status = exchange_command(invocation, failure, &answer);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    steps = json_member(answer.parameters, "steps");
    for (size_t i = 0; i < json_count(steps); i++)
        add_step(&table, json_at(steps, i));
    return output_table_print(&table, failure);
}

/* Why a name is there, or is not. */
static void add_explanation(struct output_table *table, const struct json *name)
{
    static const char *const members[] = {"name", "kind", "path", "source", "state", "by"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        output_table_add(table, json_member_text(name, members[i]));
}

enum status cmd_step_show(struct invocation *invocation, struct failure *failure)
{
    static const char *const headings[] = {"NAME", "KIND", "PLACED AT", "SOURCE", "STATE", "BY"};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *names;
    enum status status;

    output_table_start(&table, sizeof(headings) / sizeof(headings[0]), headings);
    status = exchange_command(invocation, failure, &answer);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    if (!json_member_boolean(json_member(answer.parameters, "step"), "inherits", true))
        output_note("this path is a boundary (--no-inherit): it takes only what is placed at or below it");
    names = json_member(answer.parameters, "names");
    for (size_t i = 0; i < json_count(names); i++)
        add_explanation(&table, json_at(names, i));
    return output_table_print(&table, failure);
}
