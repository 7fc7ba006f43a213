/* The system's journal (syslog socket). Best effort: it never waits and never fails; without a syslog it does
 * nothing. syslog() itself waits while the journal's queue is full, and its settings belong to the host of
 * the library. */
#ifndef STEPVAULT_BASE_JOURNAL_H
#define STEPVAULT_BASE_JOURNAL_H

#define JOURNAL_LINE_MAX 4608 /* holds any path */

/* A socket for journal_note, for whoever is about to enter a sandbox that makes none; -1 where there is none.
 * The caller closes it. */
int journal_open_socket(void);

/* Sends one line (authpriv, notice) in the name of `program` over `descriptor`, which journal_open_socket
 * gave. A longer line is cut. Bytes that could steer a terminal or begin another line are replaced. */
void journal_note(int descriptor, const char *program, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
