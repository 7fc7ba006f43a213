/* Starting a browser by argv, and what to do where that is no use. */
#include "browser.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS_MAX 4096 /* bytes of $BROWSER */
#define WORDS_MAX 16      /* of one command */

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0';
}

bool browser_is_remote(void)
{
    return is_set("SSH_CONNECTION") || is_set("SSH_TTY") ||
           (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"));
}

bool browser_takes(const char *url)
{
    static const char *const schemes[] = {"https://", "http://"};
    static const char others[] = "-._~:/?#[]@!$&()*+,;=%";
    const char *host = NULL;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && host == NULL; i++) {
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            host = url + strlen(schemes[i]);
    }
    if (host == NULL || !(isalnum((unsigned char)host[0]) || host[0] == '['))
        return false;
    for (; *host != '\0'; host++) {
        if (!isascii((unsigned char)*host) ||
            !(isalnum((unsigned char)*host) || strchr(others, *host) != NULL))
            return false;
    }
    return true;
}

/* ---- starting one ---- */

/* Ours without the names that are for us: they may lead to the vault's key. To be freed. */
static char **make_environment(void)
{
    size_t count = 0;
    char **kept;

    for (char **entry = environ; *entry != NULL; entry++)
        count++;
    kept = calloc(count + 1, sizeof(*kept));
    count = 0;
    for (char **entry = environ; kept != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, "STEPVAULT_", strlen("STEPVAULT_")) != 0 &&
            strncmp(*entry, "CREDENTIALS_DIRECTORY=", strlen("CREDENTIALS_DIRECTORY=")) != 0)
            kept[count++] = *entry;
    }
    return kept;
}

static bool prepare(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions)
{
    sigset_t all, none;
    bool fits = true;

    sigfillset(&all);
    sigemptyset(&none);
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        fits = fits && posix_spawn_file_actions_addopen(actions, descriptor, "/dev/null", O_RDWR, 0) == 0;
    return fits && posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setflags(attributes,
                                    POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) == 0;
}

/* Nobody waits for it: a browser that has no window yet stays as long as it is open. */
static bool start(char *const words[])
{
    CLEANUP(cleanup_free) char **environment = make_environment();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t process;
    bool started;

    if (environment == NULL || posix_spawn_file_actions_init(&actions) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return false;
    }
    started = prepare(&attributes, &actions) &&
              posix_spawnp(&process, words[0], &actions, &attributes, words, environment) == 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return started;
}

/* One command of $BROWSER, which is cut into its words. */
static bool start_command(char *command, char *url)
{
    char *words[WORDS_MAX + 2];
    size_t count = 0;
    bool placed = false;
    char *rest = NULL;

    for (char *word = strtok_r(command, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
        bool is_place = count > 0 && strcmp(word, "%s") == 0;

        if (count == WORDS_MAX)
            return false;
        words[count++] = is_place ? url : word;
        placed = placed || is_place;
    }
    if (count == 0)
        return false;
    if (!placed)
        words[count++] = url;
    words[count] = NULL;
    return start(words);
}

bool browser_open(const char *url)
{
    const char *named = getenv("BROWSER");
    CLEANUP(cleanup_free) char *address = strdup(url);
    char commands[COMMANDS_MAX] = "";
    char opener[] = "xdg-open";
    char *rest = commands;
    char *command;

    if (address == NULL || !browser_takes(url))
        return false;
    if (named != NULL && strlen(named) < sizeof(commands))
        memcpy(commands, named, strlen(named) + 1);
    while ((command = strsep(&rest, ":")) != NULL) {
        if (start_command(command, address))
            return true;
    }
    return start_command(opener, address);
}

/* ---- from elsewhere ---- */

/* Whether a shell takes the word as it stands. */
static bool is_plain(const char *word)
{
    if (word[0] == '\0' || word[0] == '-' || strlen(word) > HOST_NAME_MAX)
        return false;
    for (; *word != '\0'; word++) {
        if (!isascii((unsigned char)*word) ||
            !(isalnum((unsigned char)*word) || strchr("._:%-", *word) != NULL))
            return false;
    }
    return true;
}

void browser_write_forward(uint16_t port, char destination[BROWSER_FORWARD_SIZE])
{
    const char *connection = getenv("SSH_CONNECTION");
    const char *user = getenv("LOGNAME");
    char server[HOST_NAME_MAX + 1] = "";
    unsigned server_port = 22;
    char own_port[sizeof(" -p 65535")] = "";

    /* Client's address and port, then ours as the client knows it. */
    if (connection == NULL || sscanf(connection, "%*s %*u %64s %u", server, &server_port) != 2 ||
        !is_plain(server) || server_port > UINT16_MAX) {
        server_port = 22;
        if (gethostname(server, sizeof(server) - 1) != 0 || !is_plain(server))
            memcpy(server, "HOST", sizeof("HOST"));
    }
    if (server_port != 22)
        snprintf(own_port, sizeof(own_port), " -p %hu", (unsigned short)server_port);
    if (user == NULL || !is_plain(user))
        user = NULL;
    snprintf(destination, BROWSER_FORWARD_SIZE, "ssh -N%s -L %hu:127.0.0.1:%hu %s%s%s", own_port,
             (unsigned short)port, (unsigned short)port, user != NULL ? user : "", user != NULL ? "@" : "",
             server);
}
