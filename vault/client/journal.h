/* The journal line of a refusal that no agent could log (P2). */
#ifndef STEPVAULT_CLIENT_JOURNAL_H
#define STEPVAULT_CLIENT_JOURNAL_H

/* Tells syslog (authpriv) that `purpose` ("run") was refused while the vault was locked: user, process,
 * executable, and no name of anything in the vault. Never waits; without a syslog it does nothing. */
void journal_note_refusal(const char *purpose);

/* The same under the name that stepvault-manage calls; no symbol, as the agent has another journal_refusal.
 */
static inline void journal_refusal(const char *purpose)
{
    journal_note_refusal(purpose);
}

#endif
