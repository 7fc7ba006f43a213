# bash completion of stepvault. `stepvault __complete` knows what fits; this takes bash's words apart and hands them over.
# shellcheck shell=bash

# bash splits words at the characters of COMP_WORDBREAKS, such as the `:` of an account's name. Fills `words` with
# those that were typed, up to the cursor and without quotes; the last one is being typed.
__stepvault_words() {
    local rest=${COMP_LINE:0:COMP_POINT} piece index joins
    words=()
    for ((index = 0; index <= COMP_CWORD; index++)); do
        joins=
        [[ $index -eq 0 || $rest == [[:blank:]]* ]] || joins=yes
        rest=${rest#"${rest%%[![:blank:]]*}"}
        piece=${COMP_WORDS[index]}
        ((index < COMP_CWORD)) || piece=$rest
        rest=${rest#"$piece"}
        piece=${piece//[\"\'\\]/}
        if [[ $joins ]]; then words[-1]+=$piece; else words+=("${piece/#\~\//$HOME/}"); fi
    done
}

_stepvault() {
    local words line directive='' cut index
    __stepvault_words
    # What bash keeps of the last word, and so must not stand in an answer.
    cut=${words[-1]}
    cut=${cut%"${2//[\"\'\\]/}"}
    COMPREPLY=()
    {
        IFS= read -r directive
        while IFS= read -r line; do
            line=${line%%$'\t'*}
            COMPREPLY+=("${line#"$cut"}")
        done
    } < <(command stepvault __complete -- "${words[@]:1}" 2>/dev/null)
    case $directive in
    :files) mapfile -t COMPREPLY < <(compgen -f -- "$2") && compopt -o filenames ;;
    :folders) mapfile -t COMPREPLY < <(compgen -d -- "$2") && compopt -o filenames ;;
    :command)
        for ((index = 1; index < COMP_CWORD; index++)); do
            [[ ${COMP_WORDS[index]} != -- ]] || break
        done
        if declare -F _command_offset >/dev/null; then
            _command_offset $((index + 1))
        elif ((index + 1 == COMP_CWORD)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$2")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$2") && compopt -o filenames
        fi
        ;;
    esac
}

complete -F _stepvault stepvault
