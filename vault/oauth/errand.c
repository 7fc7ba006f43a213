/* The reader of a job's line: a closed table of members, and what each job must have. */
#include "oauth/errand.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 3600

static const char *const job_names[] = {"connect", "refresh", "revoke", "test", "request", NULL};
static const char *const flow_names[] = {"browser", "paste", "device", "client_credentials", "import", NULL};

#define OF(job) (1u << (job))
#define OF_ALL                                                                                               \
    (OF(ERRAND_CONNECT) | OF(ERRAND_REFRESH) | OF(ERRAND_REVOKE) | OF(ERRAND_TEST) | OF(ERRAND_REQUEST))
#define OF_TOKENS (OF(ERRAND_CONNECT) | OF(ERRAND_REFRESH))

enum member_shape { SHAPE_TEXT, SHAPE_NUMBER, SHAPE_TEXTS, SHAPE_MAP };

static const struct member {
    const char *name;
    enum member_shape shape;
    unsigned jobs;     /* that may have it */
    unsigned required; /* that must have it */
} members[] = {
    {"job",          SHAPE_TEXT,   OF_ALL,             OF_ALL            },
    {"provider",     SHAPE_TEXT,   OF_ALL,             OF_ALL            },
    {"client",       SHAPE_MAP,    OF_ALL,             OF_TOKENS         },
    {"properties",   SHAPE_MAP,    OF_ALL,             0                 },
    {"flow",         SHAPE_TEXT,   OF_TOKENS,          OF(ERRAND_CONNECT)},
    {"scopes",       SHAPE_TEXTS,  OF_TOKENS,          0                 },
    {"user_scopes",  SHAPE_TEXTS,  OF_TOKENS,          0                 },
    {"redirect_uri", SHAPE_TEXT,   OF(ERRAND_CONNECT), 0                 },
    {"port",         SHAPE_NUMBER, OF(ERRAND_CONNECT), 0                 },
    {"seconds",      SHAPE_NUMBER, OF(ERRAND_CONNECT), 0                 },
    {"method",       SHAPE_TEXT,   OF(ERRAND_REQUEST), OF(ERRAND_REQUEST)},
    {"url",          SHAPE_TEXT,   OF(ERRAND_REQUEST), OF(ERRAND_REQUEST)},
    {"origin",       SHAPE_TEXT,   OF(ERRAND_REQUEST), OF(ERRAND_REQUEST)},
    {"headers",      SHAPE_TEXTS,  OF(ERRAND_REQUEST), 0                 },
    {"body_base64",  SHAPE_TEXT,   OF(ERRAND_REQUEST), 0                 },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static enum status fault(struct failure *failure, const char *reason)
{
    return failure_set(failure, STATUS_INVALID, "the job %s", reason);
}

static bool has_shape(const struct json *value, enum member_shape shape)
{
    void *iterator = NULL;
    const struct json *element;
    const char *name;
    int64_t number;

    if (shape == SHAPE_TEXT)
        return json_kind(value) == JSON_KIND_TEXT;
    if (shape == SHAPE_NUMBER)
        return json_number(value, &number) && number >= 0;
    if (json_kind(value) != (shape == SHAPE_MAP ? JSON_KIND_OBJECT : JSON_KIND_ARRAY))
        return false;
    for (size_t i = 0; shape == SHAPE_TEXTS && i < json_count(value); i++) {
        if (json_kind(json_at(value, i)) != JSON_KIND_TEXT)
            return false;
    }
    while (shape == SHAPE_MAP && json_next(value, &iterator, &name, &element)) {
        if (json_kind(element) != JSON_KIND_TEXT)
            return false;
    }
    return true;
}

static const struct member *find_member(const char *name)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    }
    return NULL;
}

static enum status check_members(const struct json *document, unsigned job, struct failure *failure)
{
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    while (json_next(document, &iterator, &name, &value)) {
        const struct member *member = find_member(name);

        if (member == NULL || (member->jobs & job) == 0)
            return fault(failure, "has a member that is not known");
        if (!has_shape(value, member->shape))
            return failure_set(failure, STATUS_INVALID, "the job's member %s is not of its type",
                               member->name);
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        if ((members[i].required & job) != 0 && json_member(document, members[i].name) == NULL)
            return failure_set(failure, STATUS_INVALID, "the job has no %s", members[i].name);
    }
    return STATUS_OK;
}

/* The place of `text` among `names`; false if it is none of them. */
static bool find_name(const char *const *names, const char *text, unsigned *ret_place)
{
    for (unsigned i = 0; text != NULL && names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret_place = i;
            return true;
        }
    }
    return false;
}

static enum status read_client(struct errand *errand, struct failure *failure)
{
    const struct json *client = json_member(errand->document, "client");

    errand->client_id = json_member_text(client, "id");
    errand->client_secret = json_member_text(client, "secret");
    if (json_count(client) != (errand->client_id != NULL) + (size_t)(errand->client_secret != NULL))
        return fault(failure, "has a client with a member that is not known");
    if (client != NULL && errand->client_id == NULL)
        return fault(failure, "has a client without id");
    if (errand->client_secret != NULL && errand->client_secret[0] == '\0')
        errand->client_secret = NULL;
    return STATUS_OK;
}

static enum status read_flow(struct errand *errand, struct failure *failure)
{
    const char *text = json_member_text(errand->document, "flow");
    int64_t port = json_member_number(errand->document, "port", 0);
    int64_t seconds = json_member_number(errand->document, "seconds", 600);
    unsigned flow = ERRAND_NO_FLOW;

    if (text != NULL && !find_name(flow_names, text, &flow))
        return fault(failure, "has a flow that is not known");
    if (errand->job == ERRAND_REFRESH && flow != ERRAND_NO_FLOW && flow != ERRAND_CLIENT_CREDENTIALS)
        return fault(failure, "has a flow that needs a person");
    if (port > UINT16_MAX || seconds < 1 || seconds > SECONDS_MAX)
        return fault(failure, "has a number that is out of bounds");
    errand->flow = (enum errand_flow)flow;
    errand->port = (uint16_t)port;
    errand->seconds = (uint64_t)seconds;
    errand->scopes = json_member(errand->document, "scopes");
    errand->user_scopes = json_member(errand->document, "user_scopes");
    errand->redirect_uri = json_member_text(errand->document, "redirect_uri");
    return STATUS_OK;
}

static void read_request(struct errand *errand)
{
    errand->method = json_member_text(errand->document, "method");
    errand->url = json_member_text(errand->document, "url");
    errand->origin = json_member_text(errand->document, "origin");
    errand->headers = json_member(errand->document, "headers");
    errand->body = json_member_text(errand->document, "body_base64");
}

/* An account that was not connected can make requests all the same. */
static enum status read_provider(struct errand *errand, struct failure *failure)
{
    const char *text = json_member_text(errand->document, "provider");

    return errand->job == ERRAND_REQUEST ? provider_open_any(text, failure, &errand->provider)
                                         : provider_open(text, failure, &errand->provider);
}

static enum status read_members(struct errand *errand, struct failure *failure)
{
    unsigned job;
    enum status status;

    if (!find_name(job_names, json_member_text(errand->document, "job"), &job))
        return fault(failure, "is none that is known");
    errand->job = (enum errand_job)job;
    status = check_members(errand->document, OF(job), failure);
    if (status == STATUS_OK)
        status = read_client(errand, failure);
    if (status == STATUS_OK)
        status = read_flow(errand, failure);
    errand->properties = json_member(errand->document, "properties");
    read_request(errand);
    return status == STATUS_OK ? read_provider(errand, failure) : status;
}

enum status errand_read(const void *line, size_t size, struct failure *failure, struct errand **ret_errand)
{
    CLEANUP(errand_freep) struct errand *errand = calloc(1, sizeof(*errand));
    enum status status;

    if (errand == NULL)
        return failure_set_no_memory(failure);
    status = json_parse(line, size, "the job", failure, &errand->document);
    if (status == STATUS_OK)
        status = read_members(errand, failure);
    if (status == STATUS_OK)
        *ret_errand = TAKE(errand);
    return status;
}

void errand_freep(struct errand **errand)
{
    if (*errand == NULL)
        return;
    provider_freep(&(*errand)->provider);
    json_freep(&(*errand)->document);
    free(*errand);
    *errand = NULL;
}

const char *errand_property(const struct errand *errand, const char *name)
{
    return provider_value(errand->provider, errand->properties, name);
}
