/* libcurl's easy interface, with every option that matters said. */
#include "oauth/http.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/url.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_SECONDS 10L
#define TOTAL_SECONDS 30L
#define HEADER_VALUE_MAX 256

/* ---- libcurl's memory ---- */

/* Not the secret heap: the thread that looks up hosts allocates, too. What is freed is wiped all the same. */
static void wiping_free(void *memory)
{
    if (memory != NULL)
        secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

static void *wiping_realloc(void *memory, size_t size)
{
    void *grown = malloc(size);
    size_t held = memory != NULL ? malloc_usable_size(memory) : 0;

    if (grown == NULL)
        return NULL;
    if (held > 0)
        memcpy(grown, memory, held < size ? held : size);
    wiping_free(memory);
    return grown;
}

bool http_start(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup, calloc) ==
           CURLE_OK;
}

/* ---- headers of the request ---- */

bool http_add_header(struct http_request *request, const char *name, const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    }
    if (request->header_count == HTTP_HEADERS_MAX)
        return false;
    request->headers[request->header_count++] = (struct http_header){name, value};
    return true;
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static bool append_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool append_header(struct curl_slist **list, const char *name, const char *value)
{
    CLEANUP(secret_reset) struct secret line = {0};

    /* A header without value is said with a semicolon; with a colon it would be taken away. */
    return secret_append_text(&line, name) && secret_append_text(&line, value[0] != '\0' ? ": " : ";") &&
           secret_append_text(&line, value) && append_line(list, secret_text(&line));
}

static bool says(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool list_headers(const struct http_request *request, struct curl_slist **list)
{
    bool added = true;

    if (!says(request, "Accept"))
        added = append_header(list, "Accept", request->stream == NULL ? "application/json" : "*/*");
    if (!says(request, "User-Agent"))
        added = added && append_header(list, "User-Agent", "stepvault/" STEPVAULT_VERSION);
    for (size_t i = 0; added && i < request->header_count; i++)
        added = append_header(list, request->headers[i].name, request->headers[i].value);
    if (added && request->content_type != NULL)
        added = append_header(list, "Content-Type", request->content_type);
    else if (added && !says(request, "Content-Type"))
        added = append_line(list, "Content-Type:"); /* or libcurl would say that it is a form */
    return added && append_line(list, "Expect:");   /* nor would it send much before it has leave to */
}

/* ---- what comes back ---- */

static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
    struct http_reply *reply = context;

    (void)one;
    if (size > HTTP_BODY_MAX - reply->body.size || !secret_append(&reply->body, bytes, size))
        return 0;
    return size;
}

/* The value of the header `name`, if this line is one. */
static bool header_value(const char *line, size_t size, const char *name, char value[HEADER_VALUE_MAX])
{
    size_t length = strlen(name);
    size_t end = size;

    if (size <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
        return false;
    length++;
    while (length < end && (line[length] == ' ' || line[length] == '\t'))
        length++;
    while (end > length && strchr(" \t\r\n", line[end - 1]) != NULL)
        end--;
    if (end - length >= HEADER_VALUE_MAX)
        return false;
    memcpy(value, line + length, end - length);
    value[end - length] = '\0';
    return true;
}

static uint64_t date_of(const char *text)
{
    time_t seconds = curl_getdate(text, NULL);

    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

/* Seconds, or a date by the server's clock; the reply's Date stands before it or behind, so what a date means
 * is worked out at the end. */
static void take_retry(struct http_reply *reply, const char *value, uint64_t *ret_date)
{
    size_t digits = strspn(value, "0123456789");

    *ret_date = 0;
    reply->retry_ms = 0;
    if (digits == 0)
        *ret_date = date_of(value);
    else if (value[digits] == '\0')
        reply->retry_ms = digits > 6 ? FAULT_RETRY_MAX_MS : strtoul(value, NULL, 10) * 1000;
}

struct receiving {
    const struct http_request *request;
    CURL *curl;
    struct http_reply *reply;
    uint64_t retry_date_ms;
    size_t head_size;   /* of all headers, informational replies' included */
    struct secret head; /* for the stream; so are these */
    unsigned lines;
    bool begun;
    bool ended; /* by the stream, or what holds no more */
};

static void take_type(struct http_reply *reply, const char *value)
{
    size_t size = strcspn(value, "; ");

    if (size > HTTP_TYPE_MAX)
        return;
    for (size_t i = 0; i < size; i++)
        reply->content_type[i] = value[i] >= 'A' && value[i] <= 'Z' ? (char)(value[i] - 'A' + 'a') : value[i];
    reply->content_type[size] = '\0';
}

static size_t take_header(char *line, size_t one, size_t size, void *context)
{
    struct receiving *receiving = context;
    char value[HEADER_VALUE_MAX];

    (void)one;
    receiving->head_size += size;
    if (receiving->head_size > HTTP_HEAD_MAX)
        return 0;
    if (header_value(line, size, "content-type", value))
        take_type(receiving->reply, value);
    else if (header_value(line, size, "date", value))
        receiving->reply->date_ms = date_of(value);
    else if (header_value(line, size, "retry-after", value))
        take_retry(receiving->reply, value, &receiving->retry_date_ms);
    return size;
}

static void settle_retry(const struct receiving *receiving)
{
    struct http_reply *reply = receiving->reply;
    uint64_t now = reply->date_ms != 0 ? reply->date_ms : reply->sent_wall_ms;

    if (receiving->retry_date_ms > now)
        reply->retry_ms = receiving->retry_date_ms - now;
    if (reply->retry_ms > FAULT_RETRY_MAX_MS)
        reply->retry_ms = FAULT_RETRY_MAX_MS;
}

/* ---- the same, while it comes ---- */

/* Before the body there may be headers of informational replies, of which only the last ones count. */
static size_t stream_header(char *line, size_t one, size_t size, void *context)
{
    struct receiving *receiving = context;
    size_t length = size;

    (void)one;
    if (receiving->begun)
        return size; /* a trailer */
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0) {
        secret_clear(&receiving->head);
        receiving->lines = 0;
    }
    while (length > 0 && strchr("\r\n", line[length - 1]) != NULL)
        length--;
    if (length == 0)
        return size;
    if (receiving->head.size + length >= HTTP_HEAD_MAX || ++receiving->lines > HTTP_LINES_MAX ||
        !secret_append(&receiving->head, line, length) || !secret_append_byte(&receiving->head, '\0'))
        return 0;
    return size;
}

static bool stream_begin(struct receiving *receiving)
{
    const struct http_request *request = receiving->request;
    long status = 0;

    if (receiving->begun)
        return true;
    receiving->begun = true;
    curl_easy_getinfo(receiving->curl, CURLINFO_RESPONSE_CODE, &status);
    return request->stream->begin(request->context, (unsigned)status, &receiving->head);
}

static size_t stream_body(char *bytes, size_t one, size_t size, void *context)
{
    struct receiving *receiving = context;
    const struct http_request *request = receiving->request;

    (void)one;
    if (stream_begin(receiving) && request->stream->take(request->context, bytes, size))
        return size;
    receiving->ended = true;
    return 0;
}

static int stream_progress(void *context, curl_off_t down_of, curl_off_t down, curl_off_t up_of,
                           curl_off_t up)
{
    const struct receiving *receiving = context;

    (void)down_of, (void)down, (void)up_of, (void)up;
    return !receiving->request->stream->goes_on(receiving->request->context);
}

static void set_streaming(CURL *curl, struct receiving *receiving, const struct url *url)
{
    receiving->curl = curl;
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, stream_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, receiving);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, stream_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, receiving);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stream_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, receiving);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    if (url->secure)
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
}

/* ---- one request ---- */

static void set_transport(CURL *curl, const struct http_request *request, const struct url *url)
{
    const char *file = getenv("SSL_CERT_FILE");
    const char *folder = getenv("SSL_CERT_DIR");

    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, url->secure ? "https" : "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Or the end of a request would wait for the look-up of its host, past every limit. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, request->seconds != 0 ? (long)request->seconds : TOTAL_SECONDS);
    if (request->silence != 0) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)request->silence);
    }
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 0L);
    /* libcurl sends again, by itself, what a connection that it had kept did not take. */
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (file != NULL && file[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, file);
    if (folder != NULL && folder[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAPATH, folder);
    /* A proxy would take its own loopback for ours. */
    if (url_is_loopback(url))
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
}

/* Methods of which a server wants to know that nothing follows have a body, too, of no bytes. */
static bool has_body(const struct http_request *request)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH"};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(request->method, methods[i]) == 0)
            return true;
    }
    return request->body != NULL;
}

static void set_method(CURL *curl, const struct http_request *request)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    if (has_body(request)) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body != NULL ? secret_text(request->body) : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, request->body != NULL ? (long)request->body->size : 0L);
    } else if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    if (strcmp(request->method, has_body(request) ? "POST" : "GET") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_receiving(CURL *curl, struct receiving *receiving)
{
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, receiving->reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, receiving);
}

/* libcurl's own sentence for a code is fixed text; its error buffer is not. */
static enum verdict network_fault(const struct receiving *receiving, CURLcode code, struct fault *fault)
{
    const struct http_request *request = receiving->request;

    if (receiving->ended || code == CURLE_ABORTED_BY_CALLBACK)
        return fault->verdict != VERDICT_OK
                   ? fault->verdict
                   : fault_set(fault, VERDICT_CANCELLED, "nobody waits for %s any more", request->peer);
    if (code == CURLE_WRITE_ERROR && (request->stream != NULL || receiving->head_size > HTTP_HEAD_MAX))
        return fault_set(fault, VERDICT_TRANSIENT, "%s sent more headers than can be kept", request->peer);
    if (code == CURLE_WRITE_ERROR)
        return fault_set(fault, VERDICT_TRANSIENT, "%s sent more than %d KiB", request->peer,
                         HTTP_BODY_MAX / 1024);
    return fault_set(fault, VERDICT_TRANSIENT, "%s gave no %sanswer: %s", request->peer,
                     receiving->begun ? "whole " : "", curl_easy_strerror(code));
}

static enum verdict perform(CURL *curl, struct receiving *receiving, struct fault *fault)
{
    struct http_reply *reply = receiving->reply;
    curl_off_t transfer_us = 0;
    long status = 0;
    CURLcode code;

    reply->sent_wall_ms = clock_wall_ms();
    reply->sent_boot_ms = clock_boot_ms();
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &transfer_us);
    fault->sent = fault->sent || transfer_us > 0 || code == CURLE_OK;
    if (code == CURLE_OK && receiving->request->stream != NULL && !stream_begin(receiving)) {
        receiving->ended = true;
        code = CURLE_WRITE_ERROR;
    }
    if (code != CURLE_OK)
        return network_fault(receiving, code, fault);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (unsigned)status;
    return VERDICT_OK;
}

static void receiving_reset(struct receiving *receiving)
{
    secret_reset(&receiving->head);
}

static void free_curl(CURL **curl)
{
    if (*curl != NULL)
        curl_easy_cleanup(*curl);
}

enum verdict http_send(const struct http_request *request, struct fault *fault, struct http_reply *ret_reply)
{
    CLEANUP(http_reply_reset) struct http_reply reply = {0};
    CLEANUP(free_list) struct curl_slist *headers = NULL;
    CLEANUP(free_curl) CURL *curl = curl_easy_init();
    CLEANUP(receiving_reset) struct receiving receiving = {.request = request, .reply = &reply};
    struct failure failure;
    enum verdict verdict;
    struct url url;

    if (url_parse(request->url, "an address of the provider", &failure, &url) != STATUS_OK)
        return fault_take(fault, VERDICT_REFUSED, &failure);
    if (!url.secure && !(request->loopback && url_is_loopback(&url)))
        return fault_set(fault, VERDICT_REFUSED, "the address of %s is not https", request->peer);
    if (curl == NULL || !list_headers(request, &headers))
        return fault_set_no_memory(fault);
    set_transport(curl, request, &url);
    set_method(curl, request);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (request->stream != NULL)
        set_streaming(curl, &receiving, &url);
    else
        set_receiving(curl, &receiving);
    verdict = perform(curl, &receiving, fault);
    if (verdict != VERDICT_OK)
        return verdict;
    settle_retry(&receiving);
    *ret_reply = reply;
    reply = (struct http_reply){0};
    return VERDICT_OK;
}

void http_reply_reset(struct http_reply *reply)
{
    secret_reset(&reply->body);
    *reply = (struct http_reply){0};
}
