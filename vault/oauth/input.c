/* Lines out of what read() gives. */
#include "oauth/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PORTION 8192

bool input_read(struct input *input)
{
    ssize_t got;

    if (input->ended)
        return false;
    if (input->pending.size > INPUT_LINE_MAX || !secret_reserve(&input->pending, PORTION)) {
        input->ended = true;
        return false;
    }
    do {
        got = read(input->descriptor, input->pending.bytes + input->pending.size, PORTION);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        input->pending.size += (size_t)got;
    input->ended = got <= 0;
    return !input->ended;
}

bool input_take_line(struct input *input, struct secret *line)
{
    struct secret *pending = &input->pending;
    const uint8_t *end = pending->size > 0 ? memchr(pending->bytes, '\n', pending->size) : NULL;
    size_t size;

    if (end == NULL)
        return false;
    size = (size_t)(end - pending->bytes);
    secret_clear(line);
    if (size > INPUT_LINE_MAX || !secret_append(line, pending->bytes, size)) {
        input->ended = true;
        return false;
    }
    pending->size -= size + 1;
    memmove(pending->bytes, end + 1, pending->size);
    secret_wipe(pending->bytes + pending->size, size + 1);
    return true;
}

bool input_wait_line(struct input *input, struct secret *line)
{
    while (!input_take_line(input, line)) {
        if (!input_read(input))
            return input_take_line(input, line);
    }
    return true;
}

void input_reset(struct input *input)
{
    secret_reset(&input->pending);
}
