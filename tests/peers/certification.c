/* Serves org.varlink.certification, by which clients of Varlink in other languages try a server out, on the
 * agent's own loop: listener, connections, envelopes, turns, jobs and replies are those of stepvault-agent;
 * only the table of methods and the jobs are another's (they stand in for agent/method.c and agent/job.c).
 *
 * usage: certification SOCKET [METHOD]: listens until a signal comes. The reply to METHOD lacks its members,
 * so that the certification must fail. */
#include "agent/job.h"
#include "agent/listener.h"
#include "agent/method.h"
#include "agent/server.h"
#include "agent/session.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACE "org.varlink.certification"
#define CLIENTS_MAX 16
#define REPLIES 10 /* of Test10 */

static const char interface_text[] =
    "# What a client of Varlink goes through to show that it and this server understand each other: each "
    "method\n"
    "# takes what the one before it gave.\n"
    "interface " INTERFACE "\n"
    "type Interface (foo: ?[]?[string](foo, bar, baz), anon: (foo: bool, bar: bool))\n"
    "type MyType (object: object, enum: (one, two, three), struct: (first: int, second: string), array: "
    "[]string,\n"
    "  dictionary: [string]string, stringset: [string](), nullable: ?string,\n"
    "  nullable_array_struct: ?[](first: int, second: string), interface: Interface)\n"
    "method Start() -> (client_id: string)\n"
    "method Test01(client_id: string) -> (bool: bool)\n"
    "method Test02(client_id: string, bool: bool) -> (int: int)\n"
    "method Test03(client_id: string, int: int) -> (float: float)\n"
    "method Test04(client_id: string, float: float) -> (string: string)\n"
    "method Test05(client_id: string, string: string) -> (bool: bool, int: int, float: float, string: "
    "string)\n"
    "method Test06(client_id: string, bool: bool, int: int, float: float, string: string) ->\n"
    "  (struct: (bool: bool, int: int, float: float, string: string))\n"
    "method Test07(client_id: string, struct: (bool: bool, int: int, float: float, string: string)) ->\n"
    "  (map: [string]string)\n"
    "method Test08(client_id: string, map: [string]string) -> (set: [string]())\n"
    "method Test09(client_id: string, set: [string]()) -> (mytype: MyType)\n"
    "# Answers ten times.\n"
    "method Test10(client_id: string, mytype: MyType) -> (string: string)\n"
    "method Test11(client_id: string, last_more_replies: []string) -> ()\n"
    "method End(client_id: string) -> (all_ok: bool)\n"
    "error ClientIdError ()\n"
    "error CertificationError (wants: object, got: object)\n";

#define MIXED "\"bool\":false,\"int\":2,\"float\":3.141592653589793,\"string\":\"a lot of string\""
#define MAP "\"map\":{\"foo\":\"Foo\",\"bar\":\"Bar\"}"
#define SET "\"set\":{\"one\":{},\"two\":{},\"three\":{}}"
#define REPLY(number) "\"Reply number " number "\""
#define MYTYPE                                                                                               \
    "\"mytype\":{\"object\":{\"method\":\"" INTERFACE ".Test09\",\"parameters\":{" MAP "}},"                 \
    "\"enum\":\"two\",\"struct\":{\"first\":1,\"second\":\"2\"},\"array\":[\"one\",\"two\",\"three\"],"      \
    "\"dictionary\":{\"foo\":\"Foo\",\"bar\":\"Bar\"},\"stringset\":{\"one\":{},\"two\":{},\"three\":{}},"   \
    "\"nullable\":null,\"nullable_array_struct\":null,\"interface\":{\"foo\":[null,"                         \
    "{\"Foo\":\"foo\",\"Bar\":\"bar\"},null,{\"one\":\"foo\",\"two\":\"bar\"}],"                             \
    "\"anon\":{\"foo\":true,\"bar\":false}}}"

/* What each method must be given besides the client's id, and what it gives, in the order of the calls. */
struct stage {
    const char *wants;
    const char *gives;
};
static const struct stage stages[] = {
    {"{}",                                                                                           "{\"bool\":true}"         },
    {"{\"bool\":true}",                                                                              "{\"int\":1}"             },
    {"{\"int\":1}",                                                                                  "{\"float\":1.0}"         },
    {"{\"float\":1.0}",                                                                              "{\"string\":\"ping\"}"   },
    {"{\"string\":\"ping\"}",                                                                        "{" MIXED "}"             },
    {"{" MIXED "}",                                                                                  "{\"struct\":{" MIXED "}}"},
    {"{\"struct\":{" MIXED "}}",                                                                     "{" MAP "}"               },
    {"{" MAP "}",                                                                                    "{" SET "}"               },
    {"{" SET "}",                                                                                    "{" MYTYPE "}"            },
    {"{" MYTYPE "}",                                                                                 "{}"                      },
    {"{\"last_more_replies\":[" REPLY("1") "," REPLY("2") "," REPLY("3") "," REPLY("4") "," REPLY(
         "5") "," REPLY("6") "," REPLY("7") "," REPLY("8") "," REPLY("9") "," REPLY("10") "]}",
     "{}"                                                                                                                      },
    {"{}",                                                                                           "{\"all_ok\":true}"       },
};

static size_t clients;
static size_t reached[CLIENTS_MAX]; /* by each client: the index of the stage that comes next */
static const char *spoilt = "";     /* the method whose reply is wrong */

/* ---- values ---- */

static double number_of(const struct json *value)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, value);
    return strtod(secret_text(&text), NULL);
}

static bool is_same(const struct json *a, const struct json *b);

/* A member that is null is one that is not there. */
static bool has_members_of(const struct json *object, const struct json *other)
{
    void *iterator = NULL;
    const struct json *value;
    const char *key;

    while (json_next(other, &iterator, &key, &value)) {
        if (strcmp(key, "client_id") != 0 && !is_same(json_member(object, key), json_member(other, key)))
            return false;
    }
    return true;
}

static bool is_same(const struct json *a, const struct json *b)
{
    enum json_kind kind = a == NULL ? JSON_KIND_NULL : json_kind(a);
    bool truth[2] = {false, false};

    if (kind != (b == NULL ? JSON_KIND_NULL : json_kind(b)))
        return false;
    switch (kind) {
    case JSON_KIND_NULL:
        return true;
    case JSON_KIND_BOOLEAN:
        return json_boolean(a, &truth[0]) && json_boolean(b, &truth[1]) && truth[0] == truth[1];
    case JSON_KIND_NUMBER:
        return number_of(a) == number_of(b);
    case JSON_KIND_TEXT:
        return strcmp(json_text(a, NULL), json_text(b, NULL)) == 0;
    case JSON_KIND_ARRAY:
        for (size_t at = 0; at < json_count(a) || at < json_count(b); at++) {
            if (at >= json_count(a) || at >= json_count(b) || !is_same(json_at(a, at), json_at(b, at)))
                return false;
        }
        return true;
    case JSON_KIND_OBJECT:
        return has_members_of(a, b) && has_members_of(b, a);
    }
    return false;
}

/* ---- what is served ---- */

static enum status serve_info_here(struct session *session, struct request *request)
{
    struct json_writer *writer = &request->reply.writer;

    (void)session;
    json_add_text(writer, "vendor", "stepvault");
    json_add_text(writer, "product", "certification");
    json_add_text(writer, "version", STEPVAULT_VERSION);
    json_add_text(writer, "url", "");
    json_open_array(writer, "interfaces");
    json_add_text(writer, NULL, CALL_SERVICE);
    json_add_text(writer, NULL, INTERFACE);
    json_close_array(writer);
    return STATUS_OK;
}

static enum status serve_text(struct session *session, struct request *request)
{
    const char *name = json_member_text(request->parameters, "interface");

    (void)session;
    if (name == NULL || strcmp(name, INTERFACE) != 0)
        return failure_set(&request->failure, STATUS_NOT_FOUND, "only %s is described here", INTERFACE);
    json_add_text(&request->reply.writer, "description", interface_text);
    return STATUS_OK;
}

static enum status serve_start(struct session *session, struct request *request)
{
    char id[16];

    (void)session;
    if (clients == CLIENTS_MAX)
        return failure_set(&request->failure, STATUS_TOO_LARGE, "no more than %d clients", CLIENTS_MAX);
    snprintf(id, sizeof(id), "%zu", clients++);
    json_add_text(&request->reply.writer, "client_id", id);
    return STATUS_OK;
}

static enum status serve_stage(struct session *session, struct request *request);

#define STAGE(title, more)                                                                                   \
    {                                                                                                        \
        .name = title, .serve = serve_stage, .flags = METHOD_SERVICE | (more)                                \
    }
static const struct method methods[] = {
    STAGE("Test01", 0),
    STAGE("Test02", 0),
    STAGE("Test03", 0),
    STAGE("Test04", 0),
    STAGE("Test05", 0),
    STAGE("Test06", 0),
    STAGE("Test07", 0),
    STAGE("Test08", 0),
    STAGE("Test09", 0),
    STAGE("Test10", METHOD_MANY),
    STAGE("Test11", 0),
    STAGE("End", 0),
    {.name = "Start",                   .serve = serve_start,     .flags = METHOD_SERVICE},
    {.name = "GetInfo",                 .serve = serve_info_here, .flags = METHOD_SERVICE},
    {.name = "GetInterfaceDescription", .serve = serve_text,      .flags = METHOD_SERVICE},
};

struct job {
    unsigned replied;
};

/* The interface has errors of its own for what is refused here; to a client every error is the end. */
static enum status serve_stage(struct session *session, struct request *request)
{
    CLEANUP(json_freep) struct json *wants = NULL;
    CLEANUP(json_freep) struct json *gives = NULL;
    size_t at = (size_t)(request->method - methods);
    const char *gift = strcmp(request->method->name, spoilt) == 0 ? "{}" : stages[at].gives;
    const char *id = json_member_text(request->parameters, "client_id");
    struct json_writer *writer = &request->reply.writer;
    const struct json *value;
    void *iterator = NULL;
    uint64_t client;
    const char *key;

    (void)session;
    if (id == NULL || !text_to_number(id, CLIENTS_MAX, &client) || client >= clients || reached[client] != at)
        return failure_set(&request->failure, STATUS_INVALID, "the client is unknown, or not there yet");
    if (json_parse(stages[at].wants, strlen(stages[at].wants), "what is wanted", &request->failure, &wants) !=
            STATUS_OK ||
        json_parse(gift, strlen(gift), "what is given", &request->failure, &gives) != STATUS_OK)
        return request->failure.status;
    if (!is_same(wants, request->parameters))
        return failure_set(&request->failure, STATUS_INVALID, "%s wants %s", request->method->name,
                           stages[at].wants);
    reached[client]++;
    if (request->method->flags & METHOD_MANY) {
        request->job = calloc(1, sizeof(*request->job));
        return request->job != NULL ? STATUS_OK : failure_set_no_memory(&request->failure);
    }
    while (json_next(gives, &iterator, &key, &value))
        json_add_value(writer, key, value);
    return STATUS_OK;
}

/* ---- in place of agent/method.c and agent/job.c ---- */

enum method_lookup method_find(const char *name, const struct method **ret_method, char interface[256])
{
    const char *dot = strrchr(name, '.');
    const size_t size = dot == NULL ? 0 : (size_t)(dot - name);

    snprintf(interface, 256, "%.*s", (int)(size < 255 ? size : 255), name);
    if (strcmp(interface, INTERFACE) != 0 && strcmp(interface, CALL_SERVICE) != 0)
        return METHOD_NO_INTERFACE;
    for (size_t at = 0; at < sizeof(methods) / sizeof(methods[0]); at++) {
        if (strcmp(methods[at].name, dot + 1) == 0) {
            *ret_method = &methods[at];
            return METHOD_FOUND;
        }
    }
    return METHOD_NO_METHOD;
}

const char *method_check(const struct method *method, const struct json *parameters)
{
    (void)method;
    (void)parameters;
    return NULL;
}

enum status method_read_key(const struct json *slot_key, struct failure *failure, struct vault_key *ret_key)
{
    (void)slot_key;
    (void)ret_key;
    return failure_set(failure, STATUS_INVALID, "no method here takes a key");
}

bool job_continue(struct job *job, struct secret *output)
{
    struct failure failure;
    struct reply reply;
    char text[32];
    bool last = ++job->replied == REPLIES;

    snprintf(text, sizeof(text), "Reply number %u", job->replied);
    reply_open(&reply, output);
    if (strcmp(spoilt, "Test10") != 0)
        json_add_text(&reply.writer, "string", text);
    if (reply_close(&reply, !last, &failure) != STATUS_OK)
        errx(1, "%s", failure.sentence);
    return last;
}

void job_freep(struct job **job)
{
    free(*job);
    *job = NULL;
}

void job_let_go_all(struct session *session)
{
    (void)session;
}

void job_cancel_all(struct session *session)
{
    (void)session;
}

bool job_waits(const struct job *job)
{
    (void)job;
    return false;
}

bool job_hears(const struct job *job)
{
    (void)job;
    return false;
}

enum status job_start(struct session *session, bool borrows, const struct job_work *work_, void *context,
                      struct failure *failure, struct job **ret_job)
{
    (void)session;
    (void)borrows;
    (void)work_;
    (void)context;
    (void)ret_job;
    return failure_set(failure, STATUS_FAILED, "there are no such jobs here");
}

int main(int argc, char *argv[])
{
    static struct session session;
    struct tasks tasks = {.poll = -1};
    struct listener listener = LISTENER_NONE;
    struct peer_reader reader = {.channel = -1};
    struct server server = {
        .session = &session, .listener = &listener, .reader = &reader, .first_connection = -1, .null = -1};
    struct failure failure;

    if (argc < 2 || argc > 3)
        errx(2, "usage: certification SOCKET [METHOD]");
    session.tasks = &tasks;
    if (argc == 3)
        spoilt = argv[2];
    json_start();
    if (listener_open(argv[1], &failure, &listener) != STATUS_OK ||
        server_prepare(&server, &failure) != STATUS_OK || server_run(&server, &failure) != STATUS_OK)
        errx(1, "%s", failure.sentence);
    return 0;
}
