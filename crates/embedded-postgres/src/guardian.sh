# Outlives a precall that was killed without warning, stops its PostgreSQL and removes what was temporary.
#
#   sh -c "$(cat guardian.sh)" precall-guardian MARK [DIRECTORY TO REMOVE]...
#
# Standard input is a pipe whose other end precall holds: each line is the process to look after from now on, and the
# end of the file means that precall is gone. MARK is in the command line of every such process.

# A Ctrl-C or a stop of the service is meant for precall, which may still need its database.
trap '' INT TERM HUP

mark=$1
shift
pid=

while read -r line; do pid=$line; done

# Process ids are used again, so the id alone proves nothing.
is_ours() {
    [ -n "$pid" ] || return 1
    if [ -d /proc/self ]; then
        tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$mark"
    else
        ps -o command= -p "$pid" 2>/dev/null | grep -qF -- "$mark"
    fi
}

pause() { sleep 0.05 2>/dev/null || sleep 1; }

stop_by() {
    signal=$1 turns=$2
    is_ours || return 0
    kill -s "$signal" "$pid" 2>/dev/null
    while [ "$turns" -gt 0 ] && is_ours; do
        pause
        turns=$((turns - 1))
    done
}

stop_by INT 200
stop_by QUIT 100
stop_by KILL 100

for directory in "$@"; do
    # The last children may still be writing.
    turns=40
    until rm -rf -- "$directory" 2>/dev/null || [ "$turns" -eq 0 ]; do
        pause
        turns=$((turns - 1))
    done
done
