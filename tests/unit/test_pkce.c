/* PKCE's texts. */
#include "crypto/pkce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_challenge_is_that_of_the_standard(void **state)
{
    char challenge[PKCE_SIZE];

    (void)state;
    /* RFC 7636, appendix B */
    pkce_challenge(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_string_equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void random_texts_are_long_enough_of_the_right_letters_and_differ(void **state)
{
    char one[PKCE_SIZE], other[PKCE_SIZE];
    struct failure failure;

    (void)state;
    assert_int_equal(pkce_start(&failure), STATUS_OK);
    pkce_random(one);
    pkce_random(other);
    assert_int_equal(strlen(one), 43);
    assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_challenge_is_that_of_the_standard),
        cmocka_unit_test(random_texts_are_long_enough_of_the_right_letters_and_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
