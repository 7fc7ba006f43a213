/* vault/base/file.c: bounded reads, trust in files and folders, and where things are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[PATH_MAX];

static int scratch_make(void **state)
{
    const char *base = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    char template[PATH_MAX];

    (void)state;
    snprintf(template, sizeof(template), "%s/stepvault-file-XXXXXX", base);
    if (mkdtemp(template) == NULL || realpath(template, scratch) == NULL)
        return -1;
    unsetenv("STEPVAULT_VAULT");
    unsetenv("STEPVAULT_SOCKET");
    unsetenv("STEPVAULT_KEY_FILE");
    unsetenv("CREDENTIALS_DIRECTORY");
    unsetenv("XDG_DATA_HOME");
    unsetenv("XDG_RUNTIME_DIR");
    setenv("HOME", scratch, 1);
    return chdir(scratch);
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *walk)
{
    (void)facts;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int scratch_remove(void **state)
{
    (void)state;
    return chdir("/") == 0 ? nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static const char *in_scratch(const char *name)
{
    static char paths[32][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 32];

    assert_true(snprintf(path, PATH_MAX, "%s/%s", scratch, name) < PATH_MAX);
    return path;
}

static const char *file_make(const char *name, size_t size, mode_t mode)
{
    const char *path = in_scratch(name);
    int descriptor;

    unlink(path);
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    for (size_t at = 0; at < size; at++) {
        uint8_t byte = (uint8_t)at;

        assert_int_equal(write(descriptor, &byte, 1), 1);
    }
    assert_int_equal(fchmod(descriptor, mode), 0);
    close(descriptor);
    return path;
}

static int pipe_with(const char *text, size_t size)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_true(file_write_all(ends[1], text, size));
    close(ends[1]);
    return ends[0];
}

static void all_is_read_up_to_the_bound(void **state)
{
    CLEANUP(secret_reset) struct secret content = {0};
    struct failure failure;
    int descriptor = pipe_with("0123456789", 10);

    (void)state;
    assert_true(secret_append_text(&content, ">"));
    assert_int_equal(file_read_all(descriptor, 10, "the pipe", &failure, &content), STATUS_OK);
    assert_string_equal(secret_text(&content), ">0123456789");
    close(descriptor);

    descriptor = pipe_with("0123456789x", 11);
    assert_int_equal(file_read_all(descriptor, 10, "the pipe", &failure, &content), STATUS_TOO_LARGE);
    assert_string_equal(failure.sentence, "the pipe is larger than 10 bytes");
    assert_string_equal(secret_text(&content), ">0123456789");
    close(descriptor);

    assert_int_equal(file_read_all(-1, 10, "nothing", &failure, &content), STATUS_FAILED);
    assert_string_equal(failure.sentence, "cannot read nothing: Bad file descriptor");
    assert_string_equal(secret_text(&content), ">0123456789");
}

static void a_large_file_is_read_whole(void **state)
{
    CLEANUP(secret_reset) struct secret content = {0};
    struct failure failure;
    const char *path = file_make("large", 100000, 0600);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(file_read_all(descriptor, 100000, path, &failure, &content), STATUS_OK);
    assert_int_equal(content.size, 100000);
    assert_int_equal(content.bytes[99999], (uint8_t)99999);
    secret_clear(&content);
    assert_int_equal(lseek(descriptor, 0, SEEK_SET), 0);
    assert_int_equal(file_read_all(descriptor, 99999, path, &failure, &content), STATUS_TOO_LARGE);
    assert_int_equal(content.size, 0);
    close(descriptor);
}

static void lines_are_read_one_by_one(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct failure failure;
    int descriptor = pipe_with("one\n\nlast", 9);

    (void)state;
    assert_int_equal(file_read_line(descriptor, 3, "stdin", &failure, &line), STATUS_OK);
    assert_string_equal(secret_text(&line), "one");
    secret_clear(&line);
    assert_int_equal(file_read_line(descriptor, 3, "stdin", &failure, &line), STATUS_OK);
    assert_string_equal(secret_text(&line), "");
    assert_int_equal(file_read_line(descriptor, 3, "the address", &failure, &line), STATUS_TOO_LARGE);
    assert_string_equal(failure.sentence, "the address is longer than 3 bytes");
    assert_int_equal(line.size, 0);
    assert_int_equal(file_read_line(descriptor, 3, "stdin", &failure, &line), STATUS_INVALID);
    assert_string_equal(failure.sentence, "there is nothing to read from stdin");
    close(descriptor);
    descriptor = pipe_with("last", 4);
    assert_int_equal(file_read_line(descriptor, 4, "stdin", &failure, &line), STATUS_OK);
    assert_string_equal(secret_text(&line), "last");
    close(descriptor);
}

static void a_write_that_fails_says_so(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_false(file_write_all(full, "x", 1));
    assert_int_equal(errno, ENOSPC);
    assert_true(file_write_all(full, "", 0));
    close(full);
}

static void assert_key(const char *path, enum status expected, const char *part)
{
    struct failure failure = {.sentence = ""};
    uint8_t key[FILE_KEY_SIZE];
    uint8_t untouched[FILE_KEY_SIZE];

    memset(key, 0x77, sizeof(key));
    memset(untouched, 0x77, sizeof(untouched));
    assert_int_equal(file_read_key(path, &failure, key), expected);
    if (expected == STATUS_OK) {
        for (size_t at = 0; at < sizeof(key); at++)
            assert_int_equal(key[at], at);
        return;
    }
    assert_memory_equal(key, untouched, sizeof(key));
    if (strstr(failure.sentence, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", failure.sentence, part);
}

static void a_key_file_is_32_bytes_of_ours_alone(void **state)
{
    (void)state;
    assert_key(file_make("key", 32, 0600), STATUS_OK, "");
    assert_key(file_make("key", 32, 0400), STATUS_OK, "");
    assert_key(file_make("key", 31, 0600), STATUS_INVALID, "exactly 32 bytes");
    assert_key(file_make("key", 33, 0600), STATUS_INVALID, "exactly 32 bytes");
    assert_key(file_make("key", 0, 0600), STATUS_INVALID, "exactly 32 bytes");
    assert_key(file_make("key", 32, 0604), STATUS_FOREIGN, "open to others (mode 0604)");
    assert_key(file_make("key", 32, 0602), STATUS_FOREIGN, "open to others");
    assert_key(file_make("key", 32, 0620), STATUS_FOREIGN, "open to others");
    assert_key(in_scratch("absent"), STATUS_NOT_FOUND, "there is no key file");
    assert_key(in_scratch("key/below"), STATUS_NOT_FOUND, "there is no key file");
    assert_key("", STATUS_NOT_FOUND, "there is no key file");
    assert_key(scratch, STATUS_FOREIGN, "not a regular file");
}

/* As systemd makes a credential: of root, and readable for a group. Only root can make such a file. */
static void a_key_that_a_group_can_read_is_fine_only_from_root(void **state)
{
    const char *path = file_make("key", 32, 0440);

    (void)state;
    if (geteuid() != 0) {
        assert_key(path, STATUS_FOREIGN, "open to others");
        return;
    }
    assert_key(path, STATUS_OK, "");
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_key(path, STATUS_FOREIGN, "belongs to another user");
}

static void links_and_pipes_are_no_key_files_and_do_not_block(void **state)
{
    const char *path = file_make("real-key", 32, 0600);

    (void)state;
    assert_int_equal(symlink(path, in_scratch("link")), 0);
    assert_key(in_scratch("link"), STATUS_FOREIGN, "symbolic link");
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    alarm(5);
    assert_key(in_scratch("fifo"), STATUS_FOREIGN, "not a regular file");
    alarm(0);
}

static void folders_are_made_private_with_their_parents(void **state)
{
    struct failure failure;
    struct stat facts;

    (void)state;
    umask(022);
    assert_int_equal(file_make_folder(in_scratch("a/b//c"), &failure), STATUS_OK);
    assert_int_equal(stat(in_scratch("a/b"), &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0700);
    assert_int_equal(file_make_folder(in_scratch("a/b/c/"), &failure), STATUS_OK);
    assert_int_equal(file_make_folder("relative/x", &failure), STATUS_OK);
    assert_int_equal(stat(in_scratch("relative/x"), &facts), 0);
    assert_int_equal(chmod(in_scratch("a"), 0755), 0);
    assert_int_equal(file_make_folder(in_scratch("a/b/d"), &failure), STATUS_OK);
    assert_int_equal(stat(in_scratch("a"), &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0755);
    file_make("plain", 1, 0600);
    assert_int_equal(file_make_folder(in_scratch("plain"), &failure), STATUS_FAILED);
    assert_int_equal(file_make_folder(in_scratch("plain/x"), &failure), STATUS_FAILED);
    assert_non_null(strstr(failure.sentence, "Not a directory"));
}

static void a_folder_that_others_may_write_is_foreign(void **state)
{
    struct failure failure;
    const char *folder = in_scratch("checked");

    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(file_check_folder(folder, true, &failure), STATUS_OK);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(file_check_folder(folder, false, &failure), STATUS_OK);
    assert_int_equal(file_check_folder(folder, true, &failure), STATUS_FOREIGN);
    assert_int_equal(chmod(folder, 0770), 0);
    assert_int_equal(file_check_folder(folder, false, &failure), STATUS_FOREIGN);
    assert_non_null(strstr(failure.sentence, "open to others (mode 0770)"));
    assert_int_equal(chmod(folder, 0702), 0);
    assert_int_equal(file_check_folder(folder, false, &failure), STATUS_FOREIGN);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(symlink(folder, in_scratch("checked-link")), 0);
    assert_int_equal(file_check_folder(in_scratch("checked-link"), false, &failure), STATUS_FOREIGN);
    assert_int_equal(file_check_folder(in_scratch("absent"), false, &failure), STATUS_FOREIGN);
    if (geteuid() == 0) {
        assert_int_equal(chown(folder, 65534, 65534), 0);
        assert_int_equal(file_check_folder(folder, false, &failure), STATUS_FOREIGN);
        assert_int_equal(chown(folder, 0, 0), 0);
    }
}

static void assert_vault(const char *option, const char *expected)
{
    struct failure failure = {.sentence = ""};
    char path[PATH_MAX];

    if (file_vault_path(option, &failure, path) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    assert_string_equal(path, expected);
}

static void the_vault_is_where_option_environment_or_home_say(void **state)
{
    struct failure failure;
    char path[PATH_MAX];

    (void)state;
    assert_vault(NULL, in_scratch(".local/share/stepvault/vault.db"));
    setenv("XDG_DATA_HOME", "relative", 1);
    assert_vault(NULL, in_scratch(".local/share/stepvault/vault.db"));
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_vault(NULL, "/data/stepvault/vault.db");
    setenv("STEPVAULT_VAULT", "", 1);
    assert_vault(NULL, "/data/stepvault/vault.db");
    setenv("STEPVAULT_VAULT", "other.db", 1);
    assert_vault(NULL, in_scratch("other.db"));
    assert_vault("/x/y.db", "/x/y.db");
    unsetenv("STEPVAULT_VAULT");
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    assert_int_equal(file_vault_path(NULL, &failure, path), STATUS_INVALID);
    assert_non_null(strstr(failure.sentence, "HOME is not set"));
    assert_vault("/x/y.db", "/x/y.db");
    setenv("HOME", scratch, 1);
}

static void one_vault_has_one_path(void **state)
{
    const char *expected = in_scratch("place/vault.db");

    (void)state;
    assert_int_equal(mkdir(in_scratch("place"), 0700), 0);
    assert_int_equal(symlink("place", in_scratch("alias")), 0);
    assert_vault(in_scratch("place/vault.db"), expected);
    assert_vault(in_scratch("alias/vault.db"), expected);
    assert_vault("alias/vault.db", expected);
    assert_vault("./place/../alias//vault.db", expected);
    assert_vault("alias/absent/../vault.db", expected);
    assert_vault(in_scratch("alias/new/./deep/vault.db"), in_scratch("place/new/deep/vault.db"));
    assert_vault("/absent-folder/../../vault.db", "/vault.db");
    assert_vault("/vault.db", "/vault.db");
    assert_int_equal(symlink("/elsewhere/x.db", in_scratch("place/link.db")), 0);
    assert_vault("alias/link.db", in_scratch("place/link.db"));
}

static void what_cannot_be_a_vault_file_is_refused(void **state)
{
    static const char *const cases[] = {"", ".", "..", "folder/", "/", "folder/..", "folder/."};
    struct failure failure;
    char path[PATH_MAX] = "unset";
    char long_path[2 * PATH_MAX];

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
        assert_int_equal(file_vault_path(cases[at], &failure, path), STATUS_INVALID);
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(file_vault_path(long_path, &failure, path), STATUS_INVALID);
    long_path[PATH_MAX - 1] = '\0';
    assert_int_equal(file_vault_path(long_path, &failure, path), STATUS_INVALID);
    long_path[0] = '/';
    long_path[PATH_MAX - 2] = '/';
    assert_int_equal(file_vault_path(long_path, &failure, path), STATUS_INVALID);
    assert_string_equal(path, "unset");
}

static void the_socket_is_named_after_the_vault(void **state)
{
    struct failure failure;
    char vault[PATH_MAX];
    char path[PATH_MAX];
    char expected[PATH_MAX];

    (void)state;
    setenv("XDG_RUNTIME_DIR", "/run/somebody", 1);
    assert_int_equal(file_vault_path(NULL, &failure, vault), STATUS_OK);
    assert_int_equal(file_socket_path(vault, &failure, path), STATUS_OK);
    assert_string_equal(path, "/run/somebody/stepvault/agent.sock");
    assert_int_equal(file_socket_path("/x/other.db", &failure, path), STATUS_OK);
    snprintf(expected, sizeof(expected), "/run/somebody/stepvault/agent-%016" PRIx64 ".sock",
             text_fnv1a("/x/other.db", 11));
    assert_string_equal(path, expected);
    setenv("STEPVAULT_VAULT", "/x/other.db", 1);
    assert_int_equal(file_socket_path("/x/other.db", &failure, path), STATUS_OK);
    assert_string_equal(path, expected);
    unsetenv("STEPVAULT_VAULT");
    setenv("STEPVAULT_SOCKET", "/tmp/a.sock", 1);
    assert_int_equal(file_socket_path(vault, &failure, path), STATUS_OK);
    assert_string_equal(path, "/tmp/a.sock");
    unsetenv("STEPVAULT_SOCKET");
}

static void a_socket_path_that_no_address_holds_is_refused(void **state)
{
    struct failure failure;
    char runtime[200];
    char path[PATH_MAX] = "unset";

    (void)state;
    memset(runtime, 'r', sizeof(runtime));
    runtime[0] = '/';
    runtime[85] = '\0'; /* and /stepvault/agent.sock are 106 */
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    assert_int_equal(file_socket_path("/x/other.db", &failure, path), STATUS_INVALID);
    assert_non_null(strstr(failure.sentence, "longer than 107 bytes"));
    memset(runtime, 's', sizeof(runtime));
    runtime[107] = '\0';
    setenv("STEPVAULT_SOCKET", runtime, 1);
    assert_int_equal(file_socket_path("/x", &failure, path), STATUS_OK);
    assert_int_equal(strlen(path), 107);
    runtime[107] = 's';
    runtime[108] = '\0';
    setenv("STEPVAULT_SOCKET", runtime, 1);
    assert_int_equal(file_socket_path("/x", &failure, path), STATUS_INVALID);
    unsetenv("STEPVAULT_SOCKET");
    unsetenv("XDG_RUNTIME_DIR");
}

static void without_a_private_runtime_folder_there_is_no_agent(void **state)
{
    struct failure failure;
    struct stat facts;
    char folder[64];
    char path[PATH_MAX];

    (void)state;
    unsetenv("XDG_RUNTIME_DIR");
    snprintf(folder, sizeof(folder), "/run/user/%u", (unsigned)geteuid());
    if (lstat(folder, &facts) == 0)
        skip();
    assert_int_equal(file_socket_path("/x", &failure, path), STATUS_NO_AGENT);
    assert_non_null(strstr(failure.sentence, "XDG_RUNTIME_DIR is not set to an absolute path"));
}

static void the_key_at_hand_is_the_nearest_one_named(void **state)
{
    char path[PATH_MAX];
    char long_path[2 * PATH_MAX];

    (void)state;
    assert_false(file_key_path(NULL, path));
    setenv("CREDENTIALS_DIRECTORY", scratch, 1);
    unlink(in_scratch("stepvault.key"));
    assert_false(file_key_path(NULL, path));
    file_make("stepvault.key", 32, 0400);
    assert_true(file_key_path(NULL, path));
    assert_string_equal(path, in_scratch("stepvault.key"));
    setenv("STEPVAULT_KEY_FILE", "/named", 1);
    assert_true(file_key_path(NULL, path));
    assert_string_equal(path, "/named");
    assert_true(file_key_path("/option", path));
    assert_string_equal(path, "/option");
    memset(long_path, 'k', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_true(file_key_path(long_path, path));
    assert_key(path, STATUS_NOT_FOUND, "there is no key file");
    unsetenv("STEPVAULT_KEY_FILE");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void settings_are_ours_or_roots_and_nobody_elses_to_write(void **state)
{
    CLEANUP(secret_reset) struct secret content = {0};
    struct failure failure = {.sentence = ""};
    const char *path = in_scratch("settings");
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    (void)state;
    assert_true(descriptor >= 0 && file_write_all(descriptor, "12345", 5));
    close(descriptor);
    assert_int_equal(file_read_settings(path, 5, &failure, &content), STATUS_OK);
    assert_string_equal(secret_text(&content), "12345");
    assert_int_equal(file_read_settings(path, 4, &failure, &content), STATUS_TOO_LARGE);
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(file_read_settings(path, 5, &failure, &content), STATUS_FOREIGN);
    assert_int_equal(chmod(path, 0646), 0);
    assert_int_equal(file_read_settings(path, 5, &failure, &content), STATUS_FOREIGN);
    assert_int_equal(file_read_settings(scratch, 5, &failure, &content), STATUS_FOREIGN);
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_read_settings(path, 5, &failure, &content), STATUS_FOREIGN);
    assert_int_equal(remove(path), 0);
    assert_int_equal(file_read_settings(path, 5, &failure, &content), STATUS_NOT_FOUND);
    assert_string_equal(secret_text(&content), "12345");
}

static void settings_are_where_xdg_has_them(void **state)
{
    char path[PATH_MAX];
    char long_folder[PATH_MAX];

    (void)state;
    setenv("XDG_CONFIG_HOME", "/etc/xdg", 1);
    assert_true(file_settings_path("apps", path));
    assert_string_equal(path, "/etc/xdg/stepvault/apps");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    assert_true(file_settings_path("apps", path));
    assert_string_equal(path, in_scratch(".config/stepvault/apps"));
    memset(long_folder, '/', sizeof(long_folder));
    long_folder[PATH_MAX - 1] = '\0';
    setenv("XDG_CONFIG_HOME", long_folder, 1);
    assert_false(file_settings_path("apps", path));
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    assert_false(file_settings_path("apps", path));
    setenv("HOME", scratch, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_read_up_to_the_bound),
        cmocka_unit_test(a_large_file_is_read_whole),
        cmocka_unit_test(lines_are_read_one_by_one),
        cmocka_unit_test(a_write_that_fails_says_so),
        cmocka_unit_test(a_key_file_is_32_bytes_of_ours_alone),
        cmocka_unit_test(a_key_that_a_group_can_read_is_fine_only_from_root),
        cmocka_unit_test(links_and_pipes_are_no_key_files_and_do_not_block),
        cmocka_unit_test(folders_are_made_private_with_their_parents),
        cmocka_unit_test(a_folder_that_others_may_write_is_foreign),
        cmocka_unit_test(the_vault_is_where_option_environment_or_home_say),
        cmocka_unit_test(one_vault_has_one_path),
        cmocka_unit_test(what_cannot_be_a_vault_file_is_refused),
        cmocka_unit_test(the_socket_is_named_after_the_vault),
        cmocka_unit_test(a_socket_path_that_no_address_holds_is_refused),
        cmocka_unit_test(without_a_private_runtime_folder_there_is_no_agent),
        cmocka_unit_test(the_key_at_hand_is_the_nearest_one_named),
        cmocka_unit_test(settings_are_ours_or_roots_and_nobody_elses_to_write),
        cmocka_unit_test(settings_are_where_xdg_has_them),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
