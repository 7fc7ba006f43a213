/* When the pin is read and written. */
#include "agent/pinner.h"

#include "agent/journal.h"
#include "base/clock.h"
#include "base/file.h"
#include "log.h"

#include <string.h>

/* From a commit to the writing of the pin: under a second with what the turn at hand may take. */
#define PINNER_DELAY_MS 800u

void pinner_start(struct pinner *pinner, bool makes_folder)
{
    pinner->no_place.status = STATUS_OK;
    if (pin_folder(&pinner->no_place, pinner->folder) != STATUS_OK)
        pinner->folder[0] = '\0';
    else if (makes_folder)
        (void)file_make_folder(pinner->folder, &pinner->no_place);
}

static void forget(struct pinner *pinner)
{
    pinner->found = (struct pin_finding){.state = PIN_NONE};
    pinner->unwritten = (struct failure){.status = STATUS_OK};
    pinner->written = false;
    pinner->log_size = 0;
    pinner->due_ms = 0;
}

void pinner_begin(struct pinner *pinner, const char *path)
{
    forget(pinner);
    if (pinner->folder[0] != '\0')
        pin_remove(pinner->folder, path);
}

enum status pinner_check(struct pinner *pinner, struct vault *vault, struct failure *failure)
{
    enum status status;

    forget(pinner);
    if (pinner->folder[0] == '\0')
        return STATUS_OK;
    status = pin_check(vault, pinner->folder, failure, &pinner->found);
    if (status != STATUS_OK)
        return status;
    if (pinner->found.state == PIN_UNREADABLE)
        journal_trouble(pinner->found.failure.sentence);
    if (pinner->found.state == PIN_HELD && !pinner->found.moved)
        pinner->log_size = log_size(vault);
    else
        pinner_note(pinner, vault);
    return STATUS_OK;
}

void pinner_note(struct pinner *pinner, const struct vault *vault)
{
    if (pinner->folder[0] == '\0' || pinner->due_ms != 0 || log_size(vault) == pinner->log_size)
        return;
    pinner->due_ms = clock_monotonic_ms() + PINNER_DELAY_MS;
}

void pinner_write(struct pinner *pinner, struct vault *vault, const char *path, bool durable)
{
    enum status status;

    if (pinner->due_ms == 0)
        return;
    pinner->due_ms = 0; /* what fails is tried again after the next commit */
    status = pin_write(pinner->folder, path, log_head(vault), durable, &pinner->unwritten);
    if (status == STATUS_NOT_FOUND && pinner->no_place.status != STATUS_OK)
        pinner->unwritten = pinner->no_place;
    if (status != STATUS_OK)
        return;
    pinner->log_size = log_size(vault);
    pinner->unwritten.status = STATUS_OK;
    if (pinner->found.moved && !pinner->written)
        pin_drop_moved(vault, pinner->folder);
    pinner->written = true;
}

enum pin_state pinner_state(const struct pinner *pinner)
{
    return pinner->written ? PIN_HELD : pinner->found.state;
}

const char *pinner_trouble(const struct pinner *pinner)
{
    if (pinner->folder[0] == '\0')
        return pinner->no_place.sentence;
    if (pinner->unwritten.status != STATUS_OK)
        return pinner->unwritten.sentence;
    return pinner_state(pinner) == PIN_UNREADABLE ? pinner->found.failure.sentence : "";
}
