/* What each method does, once it was found, checked and admitted (method.c, turn.c). Each returns STATUS_OK
 * with the members of the reply written, or fails with request->failure filled. Names in request->leaf are
 * set only after their check. */
#ifndef STEPVAULT_AGENT_SERVE_H
#define STEPVAULT_AGENT_SERVE_H

#include "agent/method.h"
#include "agent/session.h"
#include "remark.h"
#include "variable.h"

/* For several of the files below: the parameters `note` and `expires`; `revision`, 0 where it was not given;
 * the filters of a list. serve_describe_revision puts a revision into the leaf, unless it is 0. */
enum status serve_read_remark(struct request *request, struct remark *ret_remark);
/* As serve_read_remark, for a call that changes nothing else: one of the two is there. */
enum status serve_read_annotation(struct request *request, struct remark *ret_remark);
enum status serve_read_revision(struct request *request, uint64_t *ret_revision);
enum status serve_describe_revision(struct request *request, uint64_t revision);
struct remark_filter serve_read_filter(const struct request *request);
/* A Slot of the interface, as an element of an array. */
void serve_write_slot(struct json_writer *writer, const struct slot_header *header);

/* serve_service.c */
enum status serve_info(struct session *session, struct request *request);
enum status serve_description(struct session *session, struct request *request);

/* serve_vault.c */
enum status serve_status(struct session *session, struct request *request);
enum status serve_list_slots(struct session *session, struct request *request);
enum status serve_initialize(struct session *session, struct request *request);
enum status serve_unlock(struct session *session, struct request *request);
enum status serve_lock(struct session *session, struct request *request);
enum status serve_add_slot(struct session *session, struct request *request);
enum status serve_remove_slot(struct session *session, struct request *request);
enum status serve_replace_passphrase(struct session *session, struct request *request);

/* serve_rekey.c */
enum status serve_rekey(struct session *session, struct request *request);

/* serve_account.c */
enum status serve_add_account(struct session *session, struct request *request);
enum status serve_list_accounts(struct session *session, struct request *request);
enum status serve_show_account(struct session *session, struct request *request);
enum status serve_set_account(struct session *session, struct request *request);
enum status serve_annotate_account(struct session *session, struct request *request);
enum status serve_list_account_revisions(struct session *session, struct request *request);
enum status serve_restore_account(struct session *session, struct request *request);
enum status serve_forget_account(struct session *session, struct request *request);
enum status serve_rename_account(struct session *session, struct request *request);
enum status serve_remove_account(struct session *session, struct request *request);
enum status serve_bind(struct session *session, struct request *request);
enum status serve_unbind(struct session *session, struct request *request);

/* serve_client.c */
enum status serve_add_client(struct session *session, struct request *request);
enum status serve_list_clients(struct session *session, struct request *request);
enum status serve_remove_client(struct session *session, struct request *request);

/* serve_oauth.c */
enum status serve_connect(struct session *session, struct request *request);
enum status serve_answer_connect(struct session *session, struct request *request);
enum status serve_keep_account(struct session *session, struct request *request);
enum status serve_refresh_account(struct session *session, struct request *request);
enum status serve_test_account(struct session *session, struct request *request);
enum status serve_disconnect_account(struct session *session, struct request *request);
enum status serve_request(struct session *session, struct request *request);

/* serve_step.c */
enum status serve_set_variable(struct session *session, struct request *request);
enum status serve_get_variable(struct session *session, struct request *request);
enum status serve_list_variables(struct session *session, struct request *request);
enum status serve_unset_variable(struct session *session, struct request *request);
enum status serve_block_variable(struct session *session, struct request *request);
enum status serve_annotate_variable(struct session *session, struct request *request);
enum status serve_list_variable_revisions(struct session *session, struct request *request);
enum status serve_restore_variable(struct session *session, struct request *request);
enum status serve_forget_variable(struct session *session, struct request *request);
enum status serve_add_step(struct session *session, struct request *request);
enum status serve_list_steps(struct session *session, struct request *request);
enum status serve_show_step(struct session *session, struct request *request);
enum status serve_annotate_step(struct session *session, struct request *request);
enum status serve_move_step(struct session *session, struct request *request);
enum status serve_remove_step(struct session *session, struct request *request);
enum status serve_list_names(struct session *session, struct request *request);
enum status serve_project(struct session *session, struct request *request);

/* serve_import.c */
enum status serve_stage_import(struct session *session, struct request *request);

/* serve_backup.c */
enum status serve_backup(struct session *session, struct request *request);

/* serve_check.c */
enum status serve_check(struct session *session, struct request *request);
/* serve_restore.c */
enum status serve_stage_restore(struct session *session, struct request *request);
enum status serve_restore(struct session *session, struct request *request);

/* serve_log.c */
enum status serve_read_log(struct session *session, struct request *request);
enum status serve_verify_log(struct session *session, struct request *request);
enum status serve_prove_leaf(struct session *session, struct request *request);
enum status serve_prune_log(struct session *session, struct request *request);
enum status serve_checkpoint(struct session *session, struct request *request);
enum status serve_log_key(struct session *session, struct request *request);

#endif
