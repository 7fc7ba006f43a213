/* Servers for tests of the client. */
#include "fake_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

char fake_folder[] = "/tmp/stepvault-client-XXXXXX";
char fake_socket[PATH_MAX];
char fake_vault[PATH_MAX];
static pid_t server;

void fake_put(int connection, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = send(connection, bytes, size, MSG_NOSIGNAL);

        if (count <= 0)
            return;
        bytes += count;
        size -= (size_t)count;
    }
}

void fake_put_frame(int connection, const char *json)
{
    fake_put(connection, json, strlen(json) + 1);
}

/* Reads until a NUL; gives the bytes read, 0 at the end of the connection. */
size_t fake_get_frame(int connection, char *frame, size_t room)
{
    size_t size = 0;

    while (size < room) {
        ssize_t count = recv(connection, frame + size, room - size, 0);

        if (count <= 0)
            return 0;
        size += (size_t)count;
        if (frame[size - 1] == '\0')
            return size;
    }
    return size;
}

void fake_wait_for_end(int connection)
{
    char byte;

    while (recv(connection, &byte, 1, 0) > 0)
        continue;
}

int fake_listen(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    memcpy(address.sun_path, fake_socket, strlen(fake_socket) + 1);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    return listener;
}

void fake_start(void (*serve)(int connection))
{
    int listener = fake_listen();

    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            int connection = accept(listener, NULL, NULL);

            if (connection < 0)
                _exit(1);
            serve(connection);
            close(connection);
        }
    }
    close(listener);
}

int fake_end(void **state)
{
    (void)state;
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    server = 0;
    unlink(fake_socket);
    chmod(fake_folder, 0700);
    unsetenv("STEPVAULT_STEP");
    unsetenv("STEPVAULT_KEY_FILE");
    return 0;
}

struct client *fake_client(void)
{
    struct client *client = NULL;
    struct failure failure;

    assert_int_equal(client_connect(fake_vault, &failure, &client), STATUS_OK);
    assert_non_null(client);
    client->timeout_ms = 5000;
    return client;
}

enum status fake_call(struct client *client, const char *request, struct failure *failure,
                      struct secret *reply)
{
    struct secret text = {0};
    enum status status;

    assert_true(secret_append_text(&text, request));
    status = client_call(client, &text, failure, reply);
    secret_reset(&text);
    return status;
}

/* Locked but for a request that carries a key. */
void fake_serve_locked(int connection)
{
    static char frame[4096];

    while (fake_get_frame(connection, frame, sizeof(frame)) > 0) {
        if (strstr(frame, "\"slot_key\":{\"key\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\"}") != NULL)
            fake_put_frame(connection, "{\"parameters\":{\"environment\":\"QT0xAEI9eCB5AA==\",\"drop\":[]}}");
        else
            fake_put_frame(
                connection,
                "{\"error\":\"io.stepvault.Agent.Locked\",\"parameters\":{\"message\":\"locked\"}}");
    }
}

void fake_file_write(const char *path, const char *bytes, size_t size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    close(file);
}

int fake_setup(void **state)
{
    (void)state;
    unsetenv("STEPVAULT_KEY_FILE");
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("STEPVAULT_STEP");
    if (mkdtemp(fake_folder) == NULL)
        return -1;
    snprintf(fake_socket, sizeof(fake_socket), "%s/agent.sock", fake_folder);
    snprintf(fake_vault, sizeof(fake_vault), "%s/vault.db", fake_folder);
    return setenv("STEPVAULT_SOCKET", fake_socket, 1);
}

int fake_teardown(void **state)
{
    static const char *const names[] = {"agent", "key", "vault.db"};
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", fake_folder, names[i]);
        unlink(path);
    }
    return rmdir(fake_folder);
}
