/* Opening a web browser, which is a courtesy: the address is printed before, and nothing depends on whether
 * one opens. What starts it says little: xdg-open prints an error and exits 0. */
#ifndef STEPVAULT_CLI_BROWSER_H
#define STEPVAULT_CLI_BROWSER_H

#include <stdbool.h>
#include <stdint.h>

/* True if a browser that is started here would not be seen: over SSH, or without a display. */
bool browser_is_remote(void);

/* True for an address that may be handed to a program as an argument: http or https, with a host, of the
 * characters of addresses (RFC 3986) without the single quote. So it is no option and no other scheme's. */
bool browser_takes(const char *url);

/* Starts what $BROWSER names (commands with `:` between them, the first that can be started; a word `%s` in
 * it is the address), else xdg-open, without a shell, in a session of its own, with no descriptor of ours and
 * nothing of what is meant for stepvault in its environment. False if none could be started. */
bool browser_open(const char *url);

#define BROWSER_FORWARD_SIZE 320

/* The command that makes `port` of this machine's loopback that of the machine it is typed at:
 * `ssh -N -L 4100:127.0.0.1:4100 ann@192.0.2.7`. */
void browser_write_forward(uint16_t port, char destination[BROWSER_FORWARD_SIZE]);

#endif
