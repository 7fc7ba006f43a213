/* What bash code exports: lines `NAME:json=JSON`, whose JSON may go on over lines, and `NAME=TEXT`. */
#ifndef STEPVAULT_CODE_EXPORTS_H
#define STEPVAULT_CODE_EXPORTS_H

#include "base/secret.h"
#include "base/status.h"

/* Appends one JSON object of them; of a name that stands twice the last counts. STATUS_INVALID, naming the
 * export, where one is not JSON or not UTF-8; STATUS_INVALID with the line's number where it is none;
 * STATUS_TOO_LARGE for over 4096 names, or 64 MiB. */
enum status exports_write(const char *text, size_t size, struct failure *failure, struct secret *destination);

#endif
