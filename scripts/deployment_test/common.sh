# shellcheck shell=bash
# What scripts/container-test and scripts/package-test share. Sourced, not run. `work` is the folder of the run.

say() { printf '==> %s\n' "$*"; }
fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# until_true SECONDS WHAT COMMAND...: tries the command until it succeeds.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt "$end" ] || fail "not in time: $what"
        sleep 0.2
    done
}

free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*[one.getsockname()[1] for one in sockets])
PYTHON
}

# value EXPRESSION: of the JSON on standard input, which is `v`.
value() { python3 -c 'import json, sys; v = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
# is EXPRESSION: whether it is true.
is() { [ "$(value "$1")" = True ]; }

# Of this machine's Debian.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
debian_mirror() {
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' |
        sed -n "s/^$suite //p" | head -n 1
}

# api METHOD PATH OPTION...: with the key of $admin_key, which goes in by standard input: others see arguments.
api() {
    local method=$1 path=$2
    shift 2
    curl -sS --fail-with-body --max-time 20 --config - -X "$method" "$@" "http://127.0.0.1:$port$path" \
        <<<"header = \"X-API-Key: $(cat "$admin_key")\""
}
call_is() { api GET "/api/v1/calls/$1" | is "$2"; }
health() { curl -sS --max-time 5 "http://127.0.0.1:$metrics_port/health"; }
status_of() { curl -s --max-time 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port$1"; }
is_status() { [ "$(status_of "$1")" = "$2" ]; }
is_ready() { is_status /health/ready 200 && health | is 'v["threecx"] in ("ok", "not_configured") and v["ready"]'; }

# A caller who has a sample of a voice.
map_caller() {
    local path=/api/v1/callers/${caller/+/%2B}
    python3 - "$work/sample.wav" <<'PYTHON'
import struct, sys, wave
with wave.open(sys.argv[1], "wb") as sample:
    sample.setparams((1, 2, 8000, 0, "NONE", ""))
    sample.writeframes(b"".join(struct.pack("<h", i * 9 % 8000) for i in range(32000)))
PYTHON
    api PUT "$path" -d '{"voice_sample_url":"uploads/first","voice_name":"Anna"}' >/dev/null
    api PUT "$path/sample" --data-binary "@$work/sample.wav" >/dev/null
}

# a_call ROUTE: the caller of `ring` hears notice, greeting and agent, and the call is complete in the database.
a_call() {
    local route=$1 call
    ring "$work/report"
    value 'v["call_id"]' <"$work/report" >"$work/pbx_id"
    is 'v["first_sound_at"] is not None and v["ended_by"] in ("agent", "client")' <"$work/report" ||
        fail "the caller did not hear the call to its end: $(cat "$work/report")"
    call=$(api GET "/api/v1/calls/$(cat "$work/pbx_id")" | value 'v["id"]')
    until_true 60 "the call on route $route is complete" \
        call_is "$call" "v['status'] == 'completed' and v['route'] == '$route' and bool(v['cloned_voice_id'])"
    say "a call on route $route, in the cloned voice"
}
