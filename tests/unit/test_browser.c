/* cli/browser.c: what may be handed to a browser, whether one would be seen, and the way to here from
 * elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "browser.h"

static const char *const names[] = {"SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY", "LOGNAME"};

static int without_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    return 0;
}

static void an_address_of_the_web_is_taken(void **state)
{
    (void)state;
    assert_true(browser_takes("https://slack.com/oauth/v2/authorize?client_id=a.b&scope=a%20b&state=x_-~"));
    assert_true(browser_takes("http://127.0.0.1:4100/callback"));
    assert_true(browser_takes("http://[::1]:4100/(a)*;=$@!"));
}

static void nothing_else_is_taken(void **state)
{
    static const char *const others[] = {"",
                                         "-v",
                                         "--help",
                                         "file:///etc/passwd",
                                         "javascript:alert(1)",
                                         "HTTPS://a.example",
                                         "https:",
                                         "https://",
                                         "https:///a",
                                         "https://-a",
                                         "https://a b",
                                         "https://a\"b",
                                         "https://a'b",
                                         "https://a`b",
                                         "https://a\\b",
                                         "https://a<b>",
                                         "https://a|b",
                                         "https://a^b",
                                         "https://a{b}",
                                         "https://a\nb",
                                         "https://a\033b",
                                         "https://\303\244"};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (browser_takes(others[i]))
            fail_msg("%s is taken", others[i]);
        assert_false(browser_open(others[i]));
    }
}

static void it_is_seen_with_a_display_and_not_over_ssh(void **state)
{
    (void)state;
    assert_true(browser_is_remote());
    setenv("DISPLAY", "", 1);
    assert_true(browser_is_remote());
    setenv("DISPLAY", ":0", 1);
    assert_false(browser_is_remote());
    setenv("SSH_TTY", "/dev/pts/1", 1);
    assert_true(browser_is_remote());
    unsetenv("SSH_TTY");
    setenv("SSH_CONNECTION", "192.0.2.9 1 192.0.2.7 22", 1);
    assert_true(browser_is_remote());
    unsetenv("SSH_CONNECTION");
    unsetenv("DISPLAY");
    setenv("WAYLAND_DISPLAY", "wayland-0", 1);
    assert_false(browser_is_remote());
}

static void assert_forward(const char *connection, const char *user, const char *expected)
{
    char line[BROWSER_FORWARD_SIZE];

    setenv("SSH_CONNECTION", connection, 1);
    setenv("LOGNAME", user, 1);
    browser_write_forward(4100, line);
    assert_string_equal(line, expected);
}

static void the_line_for_ssh_leads_to_the_address_that_was_reached(void **state)
{
    (void)state;
    assert_forward("192.0.2.9 55000 192.0.2.7 22", "ann", "ssh -N -L 4100:127.0.0.1:4100 ann@192.0.2.7");
    assert_forward("192.0.2.9 55000 192.0.2.7 2222", "", "ssh -N -p 2222 -L 4100:127.0.0.1:4100 192.0.2.7");
    assert_forward("fe80::1%eth0 1 fe80::2%eth0 22", "ann", "ssh -N -L 4100:127.0.0.1:4100 ann@fe80::2%eth0");
}

static void no_line_for_ssh_has_what_a_shell_would_run(void **state)
{
    static const char *const others[] = {"a 1 $(x) 22", "a 1 ;x 22", "a 1 -oProxyCommand=x 22",
                                         "a 1 b",       "",          "a 1 b 99999"};
    char line[BROWSER_FORWARD_SIZE];

    (void)state;
    setenv("LOGNAME", "a;b", 1);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        setenv("SSH_CONNECTION", others[i], 1);
        browser_write_forward(4100, line);
        assert_null(strpbrk(line, ";$()"));
        assert_null(strstr(line, "ProxyCommand"));
        assert_non_null(strstr(line, "ssh -N -L 4100:127.0.0.1:4100 "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_address_of_the_web_is_taken, without_settings),
        cmocka_unit_test_setup(nothing_else_is_taken, without_settings),
        cmocka_unit_test_setup(it_is_seen_with_a_display_and_not_over_ssh, without_settings),
        cmocka_unit_test_setup(the_line_for_ssh_leads_to_the_address_that_was_reached, without_settings),
        cmocka_unit_test_setup(no_line_for_ssh_has_what_a_shell_would_run, without_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
