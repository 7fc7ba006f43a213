/* Linked into the programs of the sanitizer build only: their options, because the agent starts with an
 * environment of its own. Leaks are looked for in the unit tests; a process that made itself undumpable
 * cannot look. */

__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}
