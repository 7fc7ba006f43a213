/* Servers for tests of the client: forked children of the test that answer well, badly, slowly or not at all.
 */
#ifndef STEPVAULT_TESTS_FAKE_SERVER_H
#define STEPVAULT_TESTS_FAKE_SERVER_H

#include "client/client.h"

#include <stddef.h>

/* A private folder of this test program, and in it the socket (STEPVAULT_SOCKET) and the vault file, which
 * does not exist. */
extern char fake_folder[];
extern char fake_socket[];
extern char fake_vault[];

/* For cmocka: the folder; and the end of a test, which ends its server. */
int fake_setup(void **state);
int fake_teardown(void **state);
int fake_end(void **state);
#define FAKE_TEST(function) cmocka_unit_test_teardown(function, fake_end)

/* Serves one connection after another in a child. */
void fake_start(void (*serve)(int connection));
/* A socket that listens at fake_socket, for the caller to close. */
int fake_listen(void);

/* For servers. fake_get_frame reads until a NUL and gives the bytes read, 0 at the end of the connection. */
void fake_put(int connection, const char *bytes, size_t size);
void fake_put_frame(int connection, const char *json);
size_t fake_get_frame(int connection, char *frame, size_t room);
void fake_wait_for_end(int connection);

/* A server that is locked but for a request that carries the key of 32 times `k`, to which it gives A=1 and
 * B="x y". */
void fake_serve_locked(int connection);

/* A client of the server, and one call of it. */
struct client *fake_client(void);
enum status fake_call(struct client *client, const char *request, struct failure *failure,
                      struct secret *reply);

void fake_file_write(const char *path, const char *bytes, size_t size);

#endif
