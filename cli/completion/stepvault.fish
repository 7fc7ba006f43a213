# fish completion of stepvault: `stepvault __complete` knows what fits.

function __stepvault_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (command stepvault __complete -- $words[2..] $current 2>/dev/null)
    switch "$lines[1]"
        case :files :folders
            # After --option= the path is what is completed, and the rest stays in front of it.
            set -l front (string match -r -- '^--[^=]*=' $current)
            set -l paths (__fish_complete_path (string replace -r -- '^--[^=]*=' '' $current))
            if test "$lines[1]" = :folders
                set paths (string match -r -- '^.*/(?:\t.*)?$' $paths)
            end
            for path in $paths
                echo -- $front$path
            end
        case :command
            set -e words[1..(contains -i -- -- $words)]
            __fish_complete_subcommand --commandline $words $current
        case :words
            for line in $lines[2..]
                echo -- $line
            end
    end
end

complete -c stepvault -f -a '(__stepvault_complete)'
