# Completion of PROGRAM for fish, from a table of its commands: completion starts no program.

# Print what the command $argv[1] offers: WORD@KIND@HELP. A word is a command or an option, none is an argument.
# Kinds: `-` no value, `v` any value, `f` a file, `=A,B` one of these.
function _FUNCTION_lines
    switch $argv[1]
TABLE
        case '*'
            return 1
    end
end

function _FUNCTION
    set --local command PROGRAM
    set --local expected ''
    set --local lines (_FUNCTION_lines $command)
    set --local current (commandline --current-token)
    set --local words (commandline --cut-at-cursor --tokenize --current-process)
    for word in $words[2..]
        if test -n "$expected"
            set expected ''
        else if string match --quiet -- '-*' $word
            set expected (string match --groups-only --regex -- "^$word@([vf=][^@]*)@" $lines)[1]
        else if set --local below (_FUNCTION_lines "$command $word")
            set command "$command $word"
            set lines $below
        end
    end
    set --local option (string match --groups-only --regex -- '^(--[^=]+=)' "$current")
    if test -n "$option"
        set expected (string match --groups-only --regex -- "^"(string trim --right --chars '=' -- $option)"@([vf=][^@]*)@" $lines)[1]
    else if test -z "$expected"
        for line in $lines
            set --local parts (string split --max 2 '@' -- $line)
            if test -z "$parts[1]"
                set expected $parts[2]
            else if string match --quiet -- '-*' $parts[1]; and string match --quiet --invert -- '-*' "$current"
                continue
            else
                printf '%s\t%s\n' $parts[1] $parts[3]
            end
        end
        string match --quiet -- '-*' "$current"; and return
    end
    switch "$expected"
        case f
            __fish_complete_path (string replace -- "$option" '' "$current")
        case '=*'
            printf "$option%s\n" (string split ',' (string sub --start 2 $expected))
    end
end

complete --command PROGRAM --no-files --arguments '(_FUNCTION)'
