/* Text: encodings, escapes and numbers, on caller's buffers and struct secret. No allocation of its own. */
#ifndef STEPVAULT_BASE_TEXT_H
#define STEPVAULT_BASE_TEXT_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without NUL. */
bool text_is_utf8(const void *bytes, size_t size);

/* Bytes of the well-formed UTF-8 sequence that `bytes` begin with (1 to 4); 0 if there is none. */
size_t text_utf8_sequence(const void *bytes, size_t size);

/* Puts `?` for each sequence of `text` that is not UTF-8, is a control, or reorders or hides what stands
 * around it, in place; returns the new length. What is left can neither steer a terminal nor make a sentence
 * say something else. */
size_t text_make_plain(char *text);

/* Lower-case hexadecimal with a final NUL: `destination` has 2 * size + 1 bytes. */
void text_to_hex(char *destination, const void *bytes, size_t size);

/* Reads exactly 2 * size hexadecimal digits (lower case only, so that one value has one spelling) followed
 * by the end of `hex`. False if it is anything else. */
bool text_from_hex(void *destination, size_t size, const char *hex);

/* Appends standard base64 with padding (RFC 4648, section 4). False when memory is out. */
bool text_append_base64(struct secret *destination, const void *bytes, size_t size);

/* Appends what canonical, padded base64 text of `length` bytes stands for. False when memory is out or the
 * text is not canonical (wrong length, stray bits, other bytes); destination is then unchanged. */
bool text_append_from_base64(struct secret *destination, const char *base64, size_t length);

/* Appends `bytes` as a JSON string with its quotes (RFC 8259): `"`, `\`, control bytes and DEL are escaped,
 * the rest is copied. The bytes must be UTF-8 (text_is_utf8). False when memory is out. */
bool text_append_json(struct secret *destination, const void *bytes, size_t size);

/* A decimal number without sign, blanks or superfluous leading zeros, at most `maximum`. */
bool text_to_number(const char *text, uint64_t maximum, uint64_t *ret_number);

/* A duration `90`, `90s`, `15m`, `8h`, `2d` in seconds; 1 s to 366 d. */
bool text_to_duration(const char *text, uint64_t *ret_seconds);

/* 64-bit FNV-1a (Fowler, Noll, Vo): to name things, never to protect them. */
uint64_t text_fnv1a(const void *bytes, size_t size);

/* Edit distance (Levenshtein) of two short texts, for spelling suggestions; at most `limit` + 1. Texts longer
 * than 64 bytes count as `limit` + 1. */
unsigned text_distance(const char *a, const char *b, unsigned limit);

#endif
