# Completion of PROGRAM for bash, from a table of its commands: completion starts no program.

# Set `lines` of the caller to what the command $1 offers: WORD@KIND. A word is a command or an option, none is an
# argument. Kinds: `-` no value, `v` any value, `f` a file, `=A,B` one of these.
_FUNCTION_lines() {
    case "$1" in
TABLE
    *) return 1 ;;
    esac
}

_FUNCTION() {
    local current="${COMP_WORDS[COMP_CWORD]}" command=PROGRAM expected='' word line lines=() words=() i
    _FUNCTION_lines "$command"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if [[ $word == = ]]; then
            continue
        elif [[ -n $expected ]]; then
            expected=''
        elif [[ $word == -* ]]; then
            for line in "${lines[@]}"; do
                [[ $line != "$word@"[vf=]* ]] || expected="${line#*@}"
            done
        elif _FUNCTION_lines "$command $word"; then
            command="$command $word"
        fi
    done
    # `--output=json` is three words to readline.
    [[ $current != = ]] || current=''
    if [[ -z $expected ]]; then
        for line in "${lines[@]}"; do
            case "$line" in
            -*) [[ $current != -* ]] || words+=("${line%%@*}") ;;
            @*) [[ $current == -* ]] || expected="${line#@}" ;;
            *) words+=("${line%%@*}") ;;
            esac
        done
    fi
    case "$expected" in
    f) compopt -o default ;;
    =*) IFS=, read -ra words <<<"${expected#=}" ;;
    esac
    COMPREPLY=()
    for word in "${words[@]}"; do
        [[ $word != "$current"* ]] || COMPREPLY+=("$word")
    done
}

complete -F _FUNCTION PROGRAM
