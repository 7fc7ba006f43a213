/* stepvault-oauth: does one errand at a provider of OAuth, and ends. The only program of ours that talks to
 * the network (P8). It is started by the agent's spawner, gets one account's secrets at most, on its standard
 * input, and answers on its standard output; README.md beside this file has the lines. */
#include "base/cleanup.h"
#include "oauth/confinement.h"
#include "oauth/connect.h"
#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/http.h"
#include "oauth/input.h"
#include "oauth/notice.h"
#include "oauth/relay.h"
#include "oauth/revocation.h"
#include "oauth/trial.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define ANSWER_MAX (1024 * 1024) /* bytes of its line */

typedef enum verdict run_errand(struct errand *errand, struct input *input, struct fault *fault,
                                struct secret *ret_line);

static run_errand *const jobs[] = {
    [ERRAND_CONNECT] = connect_run, [ERRAND_REFRESH] = connect_refresh, [ERRAND_REVOKE] = revocation_run,
    [ERRAND_TEST] = trial_run,      [ERRAND_REQUEST] = relay_run,
};

/* What a refresh brings back is all that is left of the grant, so it goes on when the session ends. */
static void hold_out(const struct errand *errand)
{
    if (errand->job != ERRAND_REFRESH && errand->flow != ERRAND_IMPORT)
        return;
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static enum verdict run(struct input *input, const struct secret *job, struct fault *fault,
                        struct secret *ret_line)
{
    CLEANUP(errand_freep) struct errand *errand = NULL;
    struct failure failure;
    enum verdict verdict;

    if (errand_read(job->bytes, job->size, &failure, &errand) != STATUS_OK)
        return fault_of(fault, &failure);
    hold_out(errand);
    verdict = jobs[errand->job](errand, input, fault, ret_line);
    if (verdict == VERDICT_OK && ret_line->size >= ANSWER_MAX)
        return fault_set(fault, VERDICT_TRANSIENT, "%s answers with more than can be kept",
                         provider_title(errand->provider));
    return verdict;
}

static void write_fault(const struct fault *fault, struct secret *line)
{
    struct json_writer writer;

    secret_clear(line);
    json_writer_start(&writer, line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "answer", "failed");
    json_add_text(&writer, "verdict", fault_word(fault->verdict));
    json_add_text(&writer, "reason", fault->reason);
    if (fault->code[0] != '\0')
        json_add_text(&writer, "code", fault->code);
    if (fault->retry_ms > 0)
        json_add_number(&writer, "retry_ms", fault->retry_ms);
    json_add_boolean(&writer, "sent", fault->sent);
    json_close_object(&writer);
}

int main(void)
{
    struct input input = {.descriptor = STDIN_FILENO};
    struct secret job = {0};
    struct secret line = {0};
    struct fault fault = {0};

    confinement_protect_memory();
    signal(SIGPIPE, SIG_IGN);
    json_start();
    if (!http_start()) {
        fputs("stepvault-oauth: libcurl does not start\n", stderr);
        return 1;
    }
    confinement_enter();
    if (!input_wait_line(&input, &job)) {
        fputs("stepvault-oauth: no job came on the standard input; the agent starts this program\n", stderr);
        return 1;
    }
    if (run(&input, &job, &fault, &line) != VERDICT_OK)
        write_fault(&fault, &line);
    notice_write(&line);
    secret_reset(&job);
    secret_reset(&line);
    input_reset(&input);
    /* A look-up of a host that came to nothing may still have its thread. */
    _exit(0);
}
