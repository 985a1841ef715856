#compdef PROGRAM
# Completion of PROGRAM for zsh, from a table of its commands: completion starts no program.

# Set `lines` of the caller to what the command $1 offers: WORD@KIND@HELP. A word is a command or an option, none is
# an argument. Kinds: `-` no value, `v` any value, `f` a file, `=A,B` one of these.
_FUNCTION_lines() {
    case $1 in
TABLE
    *) return 1 ;;
    esac
}

_FUNCTION() {
    local command=PROGRAM expected='' word line kind
    local -a lines commands options
    _FUNCTION_lines $command
    for word in ${words[2,CURRENT-1]}; do
        if [[ -n $expected ]]; then
            expected=''
        elif [[ $word == -* ]]; then
            for line in $lines; do
                [[ $line != "$word@"[vf=]* ]] || expected=${${line#*@}%%@*}
            done
        elif _FUNCTION_lines "$command $word"; then
            command="$command $word"
        fi
    done
    if [[ -z $expected && $PREFIX == --*=* ]]; then
        for line in $lines; do
            [[ $line != "${PREFIX%%=*}@"[vf=]* ]] || expected=${${line#*@}%%@*}
        done
        compset -P '*='
    fi
    if [[ -z $expected ]]; then
        for line in $lines; do
            word=${line%%@*} kind=${${line#*@}%%@*}
            case $word in
            -*) options+=("$word:${line#*@*@}") ;;
            '') expected=$kind ;;
            *) commands+=("$word:${line#*@*@}") ;;
            esac
        done
        if [[ $PREFIX == -* ]]; then
            _describe -o option options
            return
        fi
        (($#commands == 0)) || _describe command commands
    fi
    case $expected in
    f) _files ;;
    '='*) compadd -- ${(s:,:)${expected#=}} ;;
    esac
}

_FUNCTION "$@"
