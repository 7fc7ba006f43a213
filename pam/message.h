/* What the PAM module and its helper say to each other over one socket: a job, then an answer. Both are taken
 * apart by whom they are for, who believes nothing of it. libc only; docs/PROTOCOL.md has no word of it,
 * because both ends are of one installation. */
#ifndef STEPVAULT_PAM_MESSAGE_H
#define STEPVAULT_PAM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_READY 'r'                /* what the helper sends first: nobody can look at it any more */
#define MESSAGE_TURN 't'                 /* after the job: it is about to derive, and waits for the word: */
#define MESSAGE_GO 'g'                   /* now */
#define MESSAGE_LATE 'l'                 /* not at all: too many are before it */
#define MESSAGE_DERIVED 'd'              /* it is done with that */
#define MESSAGE_TEXT_MAX 1024u           /* bytes of each text of a job; PAM's own answers have 512 at most */
#define MESSAGE_ENTRY_MAX 131071u        /* bytes of NAME=value: what execve takes, without the NUL */
#define MESSAGE_COUNT_MAX 900u           /* entries: sshd ends a session of 1000, with its own and others' */
#define MESSAGE_BLOCK_MAX (256u * 1024u) /* bytes of all entries, each with its NUL */

enum message_action {
    MESSAGE_UNLOCK = 1,   /* open the vault of an agent that runs and is locked */
    MESSAGE_SESSION = 2,  /* the same, starting an agent where there is none, and project the step */
    MESSAGE_PASSWORD = 3, /* the login password becomes another one */
    MESSAGE_DERIVE = 4,   /* the keys that the password gives, for a session that another process opens */
};

/* What became of a job. */
enum message_reason {
    MESSAGE_DONE,
    MESSAGE_NO_VAULT,     /* the user has none, in the place where it is looked for */
    MESSAGE_NO_HOME,      /* nor the folder that it would be in, where a session begins */
    MESSAGE_NO_AGENT,     /* none runs, and this job starts none */
    MESSAGE_NO_SLOT,      /* no login password is enrolled */
    MESSAGE_NO_RUNTIME,   /* no folder for the agent's socket */
    MESSAGE_LOCKED,       /* and there is no password to open it with */
    MESSAGE_WRONG,        /* the password opens no login slot */
    MESSAGE_NO_STEP,      /* the vault has no such step */
    MESSAGE_NO_BOUNDARY,  /* the step inherits */
    MESSAGE_TOO_MUCH,     /* more is placed at the step than one projection hands out */
    MESSAGE_NO_OLD,       /* the password was set without the old one */
    MESSAGE_UNTRUSTED,    /* the socket, its folder or its listener is somebody else's */
    MESSAGE_FOREIGN,      /* what is in the vault's place is none of the user's */
    MESSAGE_BUSY,         /* another process holds the vault */
    MESSAGE_NO_TOKEN,     /* of an account that is bound at the step */
    MESSAGE_UNWRITABLE,   /* the vault's log cannot be written */
    MESSAGE_DAMAGED,      /* the vault was changed, rolled back or replaced */
    MESSAGE_BROKEN_AGENT, /* the agent broke off, or the protocol */
    MESSAGE_CROWDED,      /* too many users log in at once */
    MESSAGE_BAD_JOB,
    MESSAGE_FAILED,
    MESSAGE_REASONS
};

/* Words for the journal, without a name of anything. NULL for no reason. */
const char *message_reason_text(unsigned reason);
/* What to do next; NULL where there is nothing, or no such reason. */
const char *message_reason_hint(unsigned reason);
/* True of what is no news for whoever does not use the vault at logins. */
bool message_reason_is_quiet(unsigned reason);

/* Text without NUL; it borrows its bytes. */
struct message_text {
    const uint8_t *bytes;
    size_t size;
};

struct message_job {
    enum message_action action;
    uint32_t budget_ms; /* until the helper is killed */
    struct message_text step;
    struct message_text service;
    struct message_text password; /* empty: none is known */
    struct message_text new_password;
    struct message_text keys; /* what MESSAGE_DERIVE answered, in place of the password */
};

#define MESSAGE_JOB_TEXTS 5
#define MESSAGE_JOB_MAX (4 + 2 + 4 + MESSAGE_JOB_TEXTS * (2 + MESSAGE_TEXT_MAX))

/* Writes it. Returns its size; 0 where a text is too long, has a NUL, or the action is none. */
size_t message_job_write(const struct message_job *job, uint8_t destination[MESSAGE_JOB_MAX]);

/* Size of the job whose first four bytes these are; 0 where it could be none. */
size_t message_job_size(const uint8_t bytes[4]);

/* Reads exactly these bytes; the job borrows them. False if they are no job. */
bool message_job_read(const uint8_t *bytes, size_t size, struct message_job *ret_job);

struct message_answer {
    enum message_reason reason;
    uint32_t skipped;     /* entries that a session may not have */
    uint32_t count;       /* of `block` */
    const uint8_t *block; /* NAME=value entries, each ended by a NUL */
    size_t block_size;
};

#define MESSAGE_ANSWER_HEAD (4 + 1 + 4 + 4)
#define MESSAGE_ANSWER_MAX (MESSAGE_ANSWER_HEAD + MESSAGE_BLOCK_MAX)

/* The head of an answer; the block follows it as it stands. */
void message_answer_write(const struct message_answer *answer, uint8_t destination[MESSAGE_ANSWER_HEAD]);

/* Reads exactly these bytes; the answer borrows them. False if they are none, or over a bound. */
bool message_answer_read(const uint8_t *bytes, size_t size, struct message_answer *ret_answer);

/* True if a session may have the entry: a variable's name that steers nothing, and a size that programs start
 * with. */
bool message_entry_is_allowed(const char *entry, size_t size);

#endif
