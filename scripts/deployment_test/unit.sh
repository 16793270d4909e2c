# shellcheck shell=bash
# The unit of the package: what systemd says of it, and the service run as it says. There is no systemd to run it, so
# filters of system calls are not tried. Sourced, not run.

unit_file=usr/lib/systemd/system/precall.service

unit_is_accepted() {
    local said
    said=$(in_root systemd-analyze verify /$unit_file 2>&1) || fail "the unit: $said"
    said=$(in_root systemd-analyze security --offline=true --threshold=20 /$unit_file 2>&1) || fail "the unit: $said"
    say "the unit: $(grep -o 'exposure level.*: [0-9.]*' <<<"$said")"
}

setting() { sed -n "s/^$1=//p" "$root/$unit_file"; }

# As many as this machine allows.
files_of_unit() {
    local wanted most
    wanted=$(setting LimitNOFILE) most=$(ulimit -Hn)
    [ "$most" = unlimited ] || [ "$most" -ge "$wanted" ] || wanted=$most
    echo "$wanted"
}

# Folders, account, limits and environment as systemd makes them; read-only, but for its folders.
start_service() {
    local name folders=() environment=()
    for name in $(setting StateDirectory); do folders+=("/var/lib/$name"); done
    for name in $(setting LogsDirectory); do folders+=("/var/log/$name"); done
    in_root install -d -o "$(setting User)" -g "$(setting Group)" -m "$(setting StateDirectoryMode)" "${folders[@]}"
    while IFS= read -r name; do environment+=("$name"); done < <(setting Environment)
    (
        umask "$(setting UMask)"
        # shellcheck disable=SC2016,SC2046 # The words are for the inner shell. ExecStart is a list of words.
        exec unshare --mount bash -c '
            set -e
            root=$1 many=$2
            shift 2
            mount --bind "$root" "$root"
            mount -o remount,bind,ro "$root"
            for folder in "${@:1:many}"; do
                mount --bind "$root$folder" "$root$folder"
                mount -o remount,bind,rw "$root$folder"
            done
            mount -t tmpfs tmpfs "$root/tmp"
            shift "$many"
            exec chroot "$root" "$@"' unit "$root" "${#folders[@]}" "${folders[@]}" \
            /usr/bin/env -i PATH=/usr/bin:/bin "${environment[@]}" \
            prlimit --nofile="$(files_of_unit)" \
            setpriv --reuid="$(setting User)" --regid="$(setting Group)" --init-groups --no-new-privs \
            --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
            $(setting ExecStart)
    ) >>"$logs/service.log" 2>&1 &
    service_pid=$!
}

# SIGTERM: it must end by itself, with 0, within the time of the unit.
stop_service() {
    kill "$service_pid"
    local end=$((SECONDS + $(setting TimeoutStopSec)))
    while kill -0 "$service_pid" 2>/dev/null; do
        [ $SECONDS -lt "$end" ] || fail 'precall does not end'
        sleep 0.2
    done
    wait "$service_pid" || fail "precall ended with $?: $(tail -n 5 "$logs/service.log")"
}

process_is_as_the_unit_says() {
    local said none=0000000000000000 id files
    id=$(in_root id -u precall)
    said=$(awk '$1 ~ /^(Uid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs):$/ { printf "%s%s ", $1, $2 }' \
        "/proc/$service_pid/status")
    [ "$said" = "Uid:$id CapInh:$none CapPrm:$none CapEff:$none CapBnd:$none CapAmb:$none NoNewPrivs:1 " ] ||
        fail "the process has $said"
    files=$(awk '/^Max open files/ { print $4 }' "/proc/$service_pid/limits")
    [ "$files" = "$(files_of_unit)" ] || fail "the process may open $files files"
    [ -s "$root/var/log/mcp-services/voiceclone.log" ] || fail 'it writes no log'
    [ "$(stat -c %a "$root/var/log/mcp-services/voiceclone.log")" = 640 ] || fail 'all may read the log'
}
