#!/bin/bash
# Old values and how they come back, notes and expiries, what is due, moving a path. TAP.
# sanitize: yes
. "$(dirname "$0")/fixture.bash"
new_vault history
notes() { cut -f6 <<< "$(stepvault env list --at "$1")"; }

# ---- a variable's history ----

place TOKEN "$CANARY-1" billing
place TOKEN "$CANARY-2" billing
is "a replaced value is listed, with its number and when it ended" \
    "$(stepvault env history TOKEN --at billing | cut -f1-3)" "$(printf 'TOKEN\t1\treplaced\nTOKEN\t2\tcurrent')"
lacks "... and its value nowhere" "$(stepvault env history TOKEN --at billing; stepvault env history --at billing --json; stepvault audit log --json)" "$CANARY"
is "an old value can be read" "$(stepvault env get TOKEN --at billing --revision 1)" "$CANARY-1"
has "... which is logged with its number" "$(stepvault audit log --json | tail -1)" '"action":"get","outcome":"granted","path":"billing","variable":"TOKEN"'
has "... at the end of the entry" "$(stepvault audit log --json | tail -1)" '"revision":1}'
succeeds "the one before is restored" stepvault env restore TOKEN --at billing
is "... with a word about which" "$err" "stepvault: TOKEN has the value of revision 1 again"
is "... and is in force" "$(stepvault env get TOKEN --at billing)" "$CANARY-1"
has "... and logged" "$(stepvault audit log --json | grep restore-variable)" '"revision":1}'
succeeds "a restore is undone by another" stepvault env restore TOKEN --at billing
is "... so that the later value is in force again" "$(stepvault run billing -- printenv TOKEN)" "$CANARY-2"
succeeds "a value is unset by accident" stepvault env unset TOKEN --at billing
fails "... which who looks for it is told" 4 "no variable TOKEN is placed at billing any more (stepvault env restore TOKEN --at billing sets its last value again)" stepvault env get TOKEN --at billing
has "... is listed as such" "$(stepvault env history --at billing | tail -1)" "unset"
succeeds "... and comes back" stepvault env restore TOKEN --at billing
is "... as it was" "$(stepvault env get TOKEN --at billing)" "$CANARY-2"
fails "a number that is not kept is said with those that are" 4 "the oldest is 1" stepvault env restore TOKEN --at billing --revision 77
fails "numbers are counted from 1" 2 "from 1 on" stepvault env restore TOKEN --at billing --revision 0
fails "a number is a number" 2 "whole number" stepvault env get TOKEN --at billing --revision last
fails "what was never there has no history" 4 "no variable NEVER" stepvault env history NEVER
succeeds "old values are forgotten" stepvault env forget TOKEN --at billing
is "... all of them, and the one in force stays" "$(stepvault env history TOKEN --at billing | cut -f2,3)$(stepvault env get TOKEN --at billing)" "$(printf '1\tcurrent')$CANARY-2"
fails "... so that there is none to restore" 4 "no old value" stepvault env restore TOKEN --at billing
fails "a dangerous name is restored by the rule by which it is set" 1 "allow-dangerous-name" bash -c 'echo a.so | stepvault env set LD_PRELOAD --at billing --allow-dangerous-name; stepvault env unset LD_PRELOAD --at billing; stepvault env restore LD_PRELOAD --at billing'

# ---- an account's ----

account slack default '{"oauth_access_token":"'"$CANARY"'-a","team":"t"}'
stepvault bind billing slack
printf '%s-b' "$CANARY" | stepvault account set slack oauth_access_token
is "an account's revisions are listed" "$(stepvault account history slack | cut -f1,2)" "$(printf '1\treplaced\n2\tcurrent')"
lacks "... without values" "$(stepvault account history slack --json)" "$CANARY"
succeeds "its properties are restored" stepvault account restore slack
is "... as they were" "$(stepvault run billing -- printenv SLACK_OAUTH_ACCESS_TOKEN)" "$CANARY-a"
succeeds "... and put back" stepvault account restore slack --revision 2
is "... by number" "$(stepvault run billing -- printenv SLACK_OAUTH_ACCESS_TOKEN)" "$CANARY-b"
has "... each logged" "$(stepvault audit log --json | grep -c restore-account)" 2
succeeds "its old properties are forgotten" stepvault account forget slack
is "... and the account stays" "$(stepvault account history slack | cut -f1,2)" "$(printf '1\tcurrent')"

# ---- notes and expiries ----

soon=$(date -u -d '+6 days 1 hour' +%Y-%m-%dT%H:%M:%SZ)
printf x | stepvault env set DATED --at dated --note 'rotated by ann' --expires "$soon"
printf x | stepvault env set OVER --at dated --expires 2020-02-29
printf x | stepvault env set LATER --at dated --expires 90d
printf x | stepvault env set PLAIN --at dated
list=$(stepvault env list --at dated)
has "what expires soon is marked" "$list" "$(printf 'dated\tDATED\texpires in 6 days\t')"
has "... with its note" "$list" "rotated by ann"
has "what has expired is marked" "$list" "$(printf 'OVER\texpired\t')"
has "what expires later is not" "$list" "$(printf 'LATER\tset\t')"
has "... and its duration became a date" "$list" "$(date -u -d '+90 days' +%Y-%m-%dT)"
is "the expiring ones can be listed alone" "$(stepvault env list --all --expiring | cut -f2 | tr '\n' ' ')" "DATED OVER "
is "... and nothing is stale" "$(stepvault env list --all --stale)" ""
is "the document says the same" "$(stepvault env list --at dated --json | jq -r '.variables | map(.name + "=" + (.due // "")) | join(" ")')" \
    "DATED=expiring LATER= OVER=expired PLAIN="
is "what has expired is delivered all the same" "$(stepvault run dated -- printenv OVER)" x
succeeds "note and expiry change without the value" stepvault env annotate DATED --at dated --note 'rotated by bob' --expires none
is "... alone" "$(stepvault env list --at dated | sed -n 's/^dated\tDATED\t\(set\)\t[^\t]*\t\t\(.*\)$/\1 \2/p')" "set rotated by bob"
is "... without a revision" "$(stepvault env history DATED --at dated | cut -f2,3)" "$(printf '1\tcurrent')"
printf y | stepvault env set OVER --at dated
is "a new value drops the expiry of the old one" "$(stepvault env list --at dated | grep OVER | cut -f3,5)" "$(printf 'set\t')"
succeeds "a note is taken away" stepvault env annotate DATED --at dated --note ''
is "... and is no more" "$(notes dated | tr -d '\n')" ""
fails "nothing to annotate is said" 1 "nothing to change" stepvault env annotate DATED --at dated
fails "a date that is none" 2 "2027-03-31" stepvault env annotate DATED --at dated --expires soon
fails "a note of two lines" 1 "one line" stepvault env annotate DATED --at dated --note $'a\nb'
fails "a note that is too long" 1 "1024" stepvault env annotate DATED --at dated --note "$(head -c 1025 /dev/zero | tr '\0' n)"
fails "a variable that is not there" 4 "no variable GONE" stepvault env annotate GONE --at dated --note x
succeeds "an account has a note and an expiry" stepvault account annotate slack --note 'the team bot' --expires 12h
is "... in the list" "$(stepvault account list | cut -f5,7)" "$(printf 'expires within a day\tthe team bot')"
has "... and where it is shown" "$(stepvault account show slack)" "$(printf 'note\tthe team bot')"
is "... found by what is due" "$(stepvault account list --expiring | cut -f1)$(stepvault account list --stale)" "slack:default"
succeeds "a step has a note" stepvault step add billing/notify --note 'every night at 3'
has "... in the list" "$(stepvault step list billing)" "$(printf 'billing/notify\tstep\tinherits\tevery night at 3')"
has "... and where it is explained" "$(stepvault step show billing/notify 2>&1)" "note: every night at 3"
place LOCAL 1 billing/notify
has "... which what is placed there leaves alone" "$(stepvault step list billing)" "every night at 3"
succeeds "... and changes" stepvault step annotate billing/notify --note 'every night at 4'
has "... alone" "$(stepvault step list billing)" "$(printf 'billing/notify\tstep\tinherits\tevery night at 4')"
fails "a path that is not in use has none" 4 "no step" stepvault step annotate billing/notfy --note x

# ---- status ----

status_due=$(stepvault status --json | jq -c '[.expired, .expiring, .stale, .unread]')
is "status counts what is due" "$status_due" "[0,1,0,0]"
printf x | stepvault env set GONE --at dated --expires 2020-01-01
has "... at once" "$(stepvault status)" "1 expired, 1 expiring, 0 stale"
stepvault env annotate GONE --at dated --expires none
has "... and no longer" "$(stepvault status)" "0 expired, 1 expiring, 0 stale"

# ---- moving ----

place ROOT "$CANARY-root" /
place LOCAL "$CANARY-here" new/home
place MOVED 1 billing/notify
place MOVED 2 billing/notify
stepvault bind billing/notify slack
try stepvault step move billing/notify new/home/notify --dry-run
is "a dry run counts" "$status$(tr '\n' ' ' <<< "$out")" "0$(printf 'paths\t1 variables\t2 accounts\t1 ')"
has "... says what is no longer inherited" "$err" "no longer inherited: TOKEN"
is "... and moves nothing" "$(stepvault run billing/notify -- printenv MOVED)" 2
has "... and the log says so" "$(stepvault audit log --json | tail -2 | head -1)" '"to":"new/home/notify","dry_run":true}'
succeeds "a path is moved" stepvault step move billing/notify new/home/notify --json
is "... with what is placed at it" "$(stepvault run new/home/notify -- printenv MOVED SLACK_OAUTH_ACCESS_TOKEN | tr '\n' ' ')" "2 $CANARY-b "
is "... its note" "$(stepvault step list new/home/notify)" "$(printf 'new/home/notify\tstep\tinherits\tevery night at 4')"
is "... and its history" "$(stepvault env get MOVED --at new/home/notify --revision 1)" 1
fails "nothing is left where it was" 125 "no step" stepvault run billing/notify -- true
has "the log has both paths" "$(stepvault audit log --json | grep move-step | tail -1)" '"path":"billing/notify"'
fails "a path in use is not moved onto" 1 "variable LOCAL" stepvault step move dated new/home
fails "nor below itself" 1 "at or below" stepvault step move new new/there
fails "nor is the root" 1 "stays" stepvault step move / elsewhere
fails "a path that is not there" 4 "no step" stepvault step move nowhere elsewhere
has "what is due is said where names are explained" "$(stepvault step show new/home/notify 2> /dev/null)" "expires within a day"

holds "the log and every row verify"
stepvault lock
stepvault unlock --passphrase-fd 3 3< "$scratch/pass"
holds "... and after opening anew"
finish
