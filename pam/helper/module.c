/* Asking for turns, on the socket of the job. */
#include "helper/module.h"

#include "base/file.h"
#include "message.h"

#include <errno.h>
#include <unistd.h>

static bool say(char word)
{
    return file_write_all(STDOUT_FILENO, &word, 1);
}

bool module_wait_turn(void)
{
    char word = MESSAGE_LATE;

    if (!say(MESSAGE_TURN))
        return false;
    while (read(STDIN_FILENO, &word, 1) < 0 && errno == EINTR)
        continue;
    return word == MESSAGE_GO;
}

void module_end_turn(void)
{
    (void)say(MESSAGE_DERIVED);
}
