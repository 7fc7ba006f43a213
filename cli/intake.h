/* How the properties of an account come in: asked for on a terminal, or as a JSON object on stdin, and held
 * to what the catalogue says of the app. An app that the catalogue does not have takes any. */
#ifndef STEPVAULT_CLI_INTAKE_H
#define STEPVAULT_CLI_INTAKE_H

#include "base/name.h"
#include "base/secret.h"
#include "base/status.h"
#include "catalog/app.h"
#include "json/json.h"

#include <stdbool.h>

/* All zero is one for an app that takes any property. */
struct intake {
    char slug[NAME_APP_MAX + 1];
    struct app *app;                 /* NULL: the catalogue does not have it */
    const struct app_method *method; /* NULL: not chosen yet */
    bool connects;                   /* what can be fetched from the provider is not asked for */
};

/* For what a person calls `app`. `method` (NULL: chosen later) must be one of its methods. */
enum status intake_start(const char *app, const char *method, bool connects, struct failure *failure,
                         struct intake *ret_intake);
void intake_reset(struct intake *intake);

/* Asks for the method where there are several, none was chosen, and there is a terminal: else what stdin has
 * chooses it. */
enum status intake_choose(struct intake *intake, struct failure *failure);

/* True for a method whose tokens come from the provider, where they are to be fetched. */
bool intake_fetches(const struct intake *intake);

/* Asks for the value of one field, at most three times; empty where it is optional and nothing was typed. */
enum status intake_ask_field(const struct app_field *field, struct failure *failure,
                             struct secret *ret_value);

/* Gets the properties and writes them as the member `properties`. STATUS_INVALID names those that are missing
 * or do not fit; those that the catalogue does not know are said on stderr. STATUS_REFUSED for
 * tokens that are to be fetched. */
enum status intake_fill(struct intake *intake, struct json_writer *writer, struct failure *failure);

/* The app's method of this name. STATUS_NOT_FOUND names the nearest, or all there are. */
enum status intake_find_method(const struct app *app, const char *slug, const char *name,
                               struct failure *failure, const struct app_method **ret_method);

/* Says so where the catalogue has the app, and no method of it the property that was set: it may be a slip.
 */
void intake_note_beyond(const char *slug, const char *property);

/* STATUS_INVALID if that is no property's name, or no value of one. */
enum status intake_check_property(const char *name, const struct secret *value, struct failure *failure);

#endif
