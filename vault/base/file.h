/* Files, folders and descriptors: whole reads and writes, trust checks, the places of things. */
#ifndef STEPVAULT_BASE_FILE_H
#define STEPVAULT_BASE_FILE_H

#include "base/secret.h"
#include "base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Writes all of it, however many calls it takes. False with errno set. */
bool file_write_all(int descriptor, const void *bytes, size_t size);

/* Appends what `descriptor` gives until its end, at most `maximum` bytes: STATUS_TOO_LARGE beyond. `what`
 * names the source in a sentence. */
enum status file_read_all(int descriptor, size_t maximum, const char *what, struct failure *failure,
                          struct secret *destination);

/* Reads one line of at most `maximum` bytes without its newline (a final line may lack it); reads byte by
 * byte, so nothing after the line is consumed. `what` names the line or its source. STATUS_INVALID when there
 * is none. */
enum status file_read_line(int descriptor, size_t maximum, const char *what, struct failure *failure,
                           struct secret *destination);

#define FILE_KEY_SIZE 32 /* bytes of a key file */

/* Opens a key file (no symbolic link, regular, ours or root's, no permission for group or others, exactly 32
 * bytes) and reads it into `key`. STATUS_FOREIGN or STATUS_INVALID name what is wrong; STATUS_NOT_FOUND if
 * absent. */
enum status file_read_key(const char *path, struct failure *failure, uint8_t key[FILE_KEY_SIZE]);

/* Reads a whole file of settings, at most `maximum` bytes; a symbolic link is followed. STATUS_NOT_FOUND if
 * absent, STATUS_FOREIGN if it is no regular file, not ours or root's, or open for others to write,
 * STATUS_TOO_LARGE. */
enum status file_read_settings(const char *path, size_t maximum, struct failure *failure,
                               struct secret *destination);

/* Closes the descriptor `first` and all above it. */
void file_close_from(int first);

/* Makes `path` and its missing parents with mode 0700; or the missing parents of `path` alone. */
enum status file_make_folder(const char *path, struct failure *failure);
enum status file_make_parents(const char *path, struct failure *failure);

/* STATUS_OK if `path` is a folder of ours that nobody else may write; else STATUS_FOREIGN. */
enum status file_check_folder(const char *path, bool owner_only, struct failure *failure);

/* Where things are. All are static once computed from the environment of this process.
 *
 * The vault: `option` if not NULL, else $STEPVAULT_VAULT, else $XDG_DATA_HOME/stepvault/vault.db, else
 * $HOME/.local/share/stepvault/vault.db. The result is canonical: absolute, symbolic links of the folder
 * resolved (the file itself need not exist; a relative or unresolvable folder is resolved as far as it
 * exists). STATUS_INVALID without HOME. */
enum status file_vault_path(const char *option, struct failure *failure, char destination[PATH_MAX]);

/* What $XDG_RUNTIME_DIR says, else /run/user/UID where that is ours and 0700. Returns false if there is
 * neither.
 */
bool file_runtime_folder(char destination[PATH_MAX]);

/* The agent's socket for the canonical `vault`: $STEPVAULT_SOCKET, else stepvault/agent.sock (for the default
 * vault) or stepvault/agent-<16 hex digits of FNV-1a of the path>.sock in $XDG_RUNTIME_DIR, else in
 * /run/user/UID where that is ours and 0700. STATUS_NO_AGENT when there is no such place; STATUS_INVALID when
 * the name is longer than a socket address holds (107 bytes). */
enum status file_socket_path(const char *vault, struct failure *failure, char destination[PATH_MAX]);

/* The folder of the user's settings: $XDG_CONFIG_HOME/stepvault, else $HOME/.config/stepvault, with `/` and
 * `name` behind it. False if neither is set, or the path is too long. */
bool file_settings_path(const char *name, char destination[PATH_MAX]);

/* The folder of what this machine remembers: $XDG_STATE_HOME, else /var/lib for root, else
 * $HOME/.local/state, with
 * `/stepvault/` and `name` behind it. False if there is no such place, or the path is too long. */
bool file_state_path(const char *name, char destination[PATH_MAX]);

/* The key file at hand: `option` if not NULL, else $STEPVAULT_KEY_FILE, else
 * $CREDENTIALS_DIRECTORY/stepvault.key if that exists. Returns false if there is none. */
bool file_key_path(const char *option, char destination[PATH_MAX]);

#endif
