/* status: what there is to know of a vault and its agent without opening or starting anything. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "command.h"
#include "crypto/kdf.h"
#include "exchange.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define SUMMARY_MS_MAX 2000 /* for which status waits until all values are counted */

struct report {
    const char *state;        /* open, locked, absent or foreign */
    const struct json *agent; /* its reply; NULL without an agent */
};

static void add_row(struct output_table *table, const char *name, const char *text)
{
    output_table_add(table, name);
    output_table_add(table, text);
}

/* Seconds as the largest unit that leaves little out. */
static void add_seconds(struct output_table *table, const char *name, int64_t seconds)
{
    output_table_add(table, name);
    if (seconds <= 0)
        output_table_add(table, "never");
    else if (seconds < 120)
        output_table_add_format(table, "%lld s", (long long)seconds);
    else if (seconds < 2 * 3600)
        output_table_add_format(table, "%lld min", (long long)seconds / 60);
    else
        output_table_add_format(table, "%lld h %lld min", (long long)seconds / 3600,
                                (long long)seconds % 3600 / 60);
}

static void add_protections(struct output_table *table, const struct json *protections)
{
    for (size_t i = 0; i < json_count(protections); i++) {
        const struct json *protection = json_at(protections, i);
        const char *name = json_member_text(protection, "name");
        const char *detail = json_member_text(protection, "detail");
        bool held = json_member_boolean(protection, "held", false);
        bool has_detail = detail != NULL && detail[0] != '\0';

        output_table_add(table, i == 0 ? "protections" : "");
        output_table_add_format(table, "%s: %s%s%s", name != NULL ? name : "?", held ? "held" : "not held",
                                has_detail ? ", " : "", has_detail ? detail : "");
    }
}

/* Of the programs that ask for a passphrase, this one among them; the agent derives nothing. */
#define DERIVATION "derivation"

static void add_derivation(struct output_table *table)
{
    output_table_add(table, DERIVATION);
    output_table_add(table, kdf_can_lock()
                                ? "held"
                                : "not held, its memory is over what this process may lock (ulimit -l)");
}

static void add_due(struct output_table *table, const struct json *agent)
{
    long long unread = json_member_number(agent, "unread", 0);
    char rest[64] = "";

    if (unread > 0)
        snprintf(rest, sizeof(rest), "; %lld records not looked at yet", unread);
    output_table_add(table, "values");
    output_table_add_format(table, "%lld expired, %lld expiring, %lld stale%s",
                            (long long)json_member_number(agent, "expired", 0),
                            (long long)json_member_number(agent, "expiring", 0),
                            (long long)json_member_number(agent, "stale", 0), rest);
}

static void add_pin(struct output_table *table, const struct json *agent)
{
    const char *pin = json_member_text(agent, "pin");
    const char *trouble = json_member_text(agent, "pin_trouble");

    if (pin == NULL)
        return;
    output_table_add(table, "pin");
    output_table_add_format(table, "%s%s%s", pin, trouble != NULL ? ", " : "",
                            trouble != NULL ? trouble : "");
}

static void add_open(struct output_table *table, const struct json *agent)
{
    const char *log = json_member_text(agent, "log");

    add_row(table, "vault id", json_member_text(agent, "vault_id"));
    output_table_add(table, "records");
    output_table_add_format(table, "%lld", (long long)json_member_number(agent, "records", 0));
    output_table_add(table, "log");
    output_table_add_format(table, "%lld entries, %s", (long long)json_member_number(agent, "log_size", 0),
                            log != NULL ? log : "?");
    add_pin(table, agent);
    add_due(table, agent);
    add_seconds(table, "locks in", json_member_number(agent, "locks_in", 0));
    add_seconds(table, "idle lock after", json_member_number(agent, "idle_locks_after", 0));
}

static enum status print_table(const struct exchange *exchange, const struct report *report,
                               struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *agent = report->agent;
    const char *version = json_member_text(agent, "version");

    output_table_start(&table, 2, NULL);
    add_row(&table, "vault", exchange->vault);
    add_row(&table, "state", report->state);
    output_table_add(&table, "agent");
    if (agent == NULL) {
        output_table_add(&table, "no agent");
        add_derivation(&table);
        return output_table_print(&table, failure);
    }
    output_table_add_format(&table, "pid %lld, version %s", (long long)json_member_number(agent, "pid", 0),
                            version != NULL ? version : "?");
    if (strcmp(report->state, "open") == 0)
        add_open(&table, agent);
    if (json_member_text(agent, "foreign") != NULL)
        add_row(&table, "refuses", json_member_text(agent, "foreign"));
    output_table_add(&table, "connections");
    output_table_add_format(&table, "%lld", (long long)json_member_number(agent, "connections", 0));
    output_table_add(&table, "waiting refusals");
    output_table_add_format(&table, "%lld", (long long)json_member_number(agent, "waiting_refusals", 0));
    add_protections(&table, json_member(agent, "protections"));
    add_derivation(&table);
    return output_table_print(&table, failure);
}

/* The agent's reply with the vault's path and whether there is an agent at all in front. */
static enum status print_document(const struct exchange *exchange, const struct report *report,
                                  struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "vault", exchange->vault);
    json_add_text(&writer, "state", report->state);
    json_add_boolean(&writer, "agent", report->agent != NULL);
    json_add_boolean(&writer, "derivation_locked", kdf_can_lock());
    while (json_next(report->agent, &iterator, &name, &value)) {
        if (strcmp(name, "vault") != 0 && strcmp(name, "state") != 0 && strcmp(name, "agent") != 0)
            json_add_value(&writer, name, value);
    }
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the document");
    return output_write(text.bytes, text.size, failure);
}

static enum status ask_status(struct exchange *exchange, struct answer *answer, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};

    exchange_question(&question, "Status");
    return exchange_send(exchange, &question, NULL, failure, answer);
}

/* Each call of Status looks at a few more of the records that were not looked at since unlocking. */
static enum status find_state(struct exchange *exchange, struct answer *answer, struct failure *failure,
                              struct report *ret_report)
{
    uint64_t until_ms = clock_monotonic_ms() + SUMMARY_MS_MAX;
    enum status status = exchange_connect(exchange, failure);

    if (status == STATUS_NO_AGENT) {
        status = ask_check_vault(exchange->vault, failure);
        ret_report->state = status == STATUS_NO_VAULT ? "absent" : "locked";
        return status == STATUS_NO_VAULT ? STATUS_OK : status;
    }
    if (status == STATUS_OK)
        status = ask_status(exchange, answer, failure);
    while (status == STATUS_OK && json_member_number(answer->parameters, "unread", 0) > 0 &&
           clock_monotonic_ms() < until_ms)
        status = ask_status(exchange, answer, failure);
    if (status != STATUS_OK)
        return status;
    ret_report->agent = answer->parameters;
    ret_report->state = json_member_text(answer->parameters, "state");
    if (ret_report->state == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no state");
    return STATUS_OK;
}

static enum status cmd_status(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    struct report report = {0};
    enum status status = exchange_start(invocation, NULL, failure, &exchange);

    if (status == STATUS_OK)
        status = find_state(&exchange, &answer, failure, &report);
    if (status != STATUS_OK)
        return status;
    if (strcmp(report.state, "locked") == 0)
        invocation->exit_status = status_exit(STATUS_LOCKED);
    else if (strcmp(report.state, "absent") == 0)
        invocation->exit_status = status_exit(STATUS_NO_VAULT);
    else if (strcmp(report.state, "foreign") == 0)
        invocation->exit_status = status_exit(STATUS_FOREIGN);
    return option_flag(&invocation->options, "json") ? print_document(&exchange, &report, failure)
                                                     : print_table(&exchange, &report, failure);
}

/* ---- the commands ---- */

/* clang-format off */
const struct command cmd_status_commands[] = {
    {
        .name = "status", .run = cmd_status, .options = command_json_options,
        .usage = "[--json]",
        .summary = "say whether the vault is open",
        .help = "Prints the vault, its state (open, locked, absent, foreign) and the agent with what protects it, as far as the "
                "machine lets it. Starts no agent. Exits 0 if the vault is open, 3 if it is locked, 4 if there is none, 1 if something else "
                "wrote to its file while it was open, so that the agent refuses it. "
                "Of an open vault it counts the values that have expired, expire within 30 days, or were not changed for a "
                "year.",
    },
    {0},
};
/* clang-format on */
