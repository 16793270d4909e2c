# shellcheck shell=bash
# The services of scripts/container-test: a PostgreSQL of this machine, the two simulators and precall in containers.
# All on the loopback interface. Sourced, not run.

service=precall-test-service

health_is() { health | is "$1"; }

as_postgres() { (cd / && runuser -u postgres -- "$@" 9>&-); }

start_database() {
    as_postgres "$pg/pg_ctl" -D "$work/database" -w -t 60 -l "$work/database/log" \
        -o "-p $database_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/database" start >/dev/null
}

stop_database() { as_postgres "$pg/pg_ctl" -D "$work/database" -w -t 60 -m "${1:-fast}" stop >/dev/null; }

database() {
    local password
    pg=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")
    password=$work/data/secrets/postgres/database_password
    install -d -o postgres -m 0700 "$work/database"
    install -o postgres -m 0400 "$password" "$work/password"
    as_postgres "$pg/initdb" -D "$work/database" -U precall -A scram-sha-256 --pwfile "$work/password" \
        --encoding=UTF8 --no-locale >"$logs/initdb.log"
    start_database
    PGPASSWORD=$(cat "$password") "$pg/createdb" -h 127.0.0.1 -p "$database_port" -U precall precall
}

# Settings and secrets as compose.yaml has them: by the same script.
settings() {
    SETUP_FOLDER=$work scripts/compose-setup simulators >/dev/null
    chmod u+w "$work/data/secrets/precall/database_url"
    printf 'postgresql://precall:%s@127.0.0.1:%s/precall' \
        "$(cat "$work/data/secrets/postgres/database_password")" "$database_port" \
        >"$work/data/secrets/precall/database_url"
    # podman takes a value with its quotes.
    sed -i "s/='\(.*\)'$/=\1/" "$work/.env"
    # Whoever listens to a call is part of the test of the proxy.
    printf '%s\n' SUPERVISION=true NOTICE_MENTIONS_SUPERVISION=true >>"$work/.env"
}

# confined ARGUMENT...: `podman run` as compose.yaml has it, on the loopback interface.
confined() {
    # Not the lock of this run: what a killed run leaves behind must not hold it.
    podman run --network host --read-only --cap-drop=all --security-opt=no-new-privileges "$@" 9>&-
}

simulators() {
    local hooks=http://127.0.0.1:$port/webhook
    confined --detach --name precall-test-elevenlabs precall-test-simulators elevenlabs --port "$elevenlabs_port" \
        --api-key of-the-simulated-elevenlabs \
        --webhook-url "$hooks/elevenlabs/postcall" --webhook-secret report-secret-of-the-simulators \
        --initiation-url "$hooks/elevenlabs/initiation" --initiation-secret initiation-secret-of-the-simulators \
        --conversation-ms 8000 --clone-delay-ms 500 --allow-override tts.voice_id,agent.first_message >/dev/null
    confined --detach --name precall-test-threecx precall-test-simulators threecx --port "$threecx_port" \
        --client-id 900 --client-secret client-secret-of-the-simulators \
        --webhook-url "$hooks/3cx" --webhook-secret pbx-secret-of-the-simulators \
        --trunk "10010=http://127.0.0.1:$elevenlabs_port" --trunk-agent-id agent_simulated >/dev/null
    until_true 20 'the simulated ElevenLabs answers' curl -fsS "http://127.0.0.1:$elevenlabs_port/sim/voices"
    until_true 20 'the simulated 3CX answers' curl -fsS "http://127.0.0.1:$threecx_port/sim/calls"
}

# start_service ROUTE: runs the image as its Dockerfile and compose.yaml say, and waits until calls are taken.
start_service() {
    local name secrets=()
    for name in DATABASE_URL ELEVENLABS_API_KEY THREECX_WEBHOOK_SECRET WEBHOOK_SECRET INITIATION_SECRET API_KEYS; do
        secrets+=(--env "${name}_FILE=/run/secrets/${name,,}")
    done
    confined --detach --name "$service" --stop-timeout 45 --env-file "$work/.env" "${secrets[@]}" \
        --env CALL_ROUTE="$1" --env HOST=127.0.0.1 --env PORT="$port" --env METRICS_ADDR="127.0.0.1:$metrics_port" \
        --env TRUSTED_PROXIES=127.0.0.1 \
        --env ELEVENLABS_API_BASE="http://127.0.0.1:$elevenlabs_port" \
        --env THREECX_BASE_URL="http://127.0.0.1:$threecx_port" \
        --volume precall-test-voices:/data/voices --volume precall-test-prompts:/var/lib/precall/prompts \
        --volume precall-test-spool:/var/lib/precall/spool --volume precall-test-ledger:/var/lib/precall/ledger \
        --volume precall-test-logs:/var/log/mcp-services \
        --volume "$work/data/secrets/precall:/run/secrets:ro" precall-test-precall >/dev/null
    until_true 60 "precall takes calls on route $1" is_ready
}

# stop_service: as `docker stop` does. It must end by itself, with 0.
stop_service() {
    # It complains that there is no systemd whose timers it could remove.
    podman stop "$service" >/dev/null 2>>"$logs/podman.log" || fail "$(tail -n 1 "$logs/podman.log")"
    ended_well
    podman logs "$service" >>"$logs/service.log" 2>&1
    podman rm "$service" >/dev/null 2>>"$logs/podman.log" || fail "$(tail -n 1 "$logs/podman.log")"
}

ended_well() {
    local code
    code=$(podman inspect --format '{{.State.ExitCode}}' "$service")
    [ "$code" = 0 ] || fail "precall ended with $code: $(podman logs --tail 5 "$service" 2>&1)"
}

# ring REPORT ARGUMENT...: a caller rings the simulated PBX. The PBX's report on the call goes into the file.
ring() {
    local report=$1
    shift
    timeout 120 podman exec precall-test-threecx /usr/local/bin/precall-simulators ring --port "$threecx_port" \
        --caller "$caller" --called +12025550199 "$@" >"$report"
}

newest_call() { api GET '/api/v1/calls?limit=1' | value 'v["items"][0]["id"] if v["items"] else ""'; }
conversing() { curl -fsS --max-time 5 --config - "http://127.0.0.1:$port/api/v1/live" \
    <<<"header = \"X-API-Key: $(cat "$admin_key")\"" | is 'any(call["state"] == "conversing" for call in v["items"])'; }

clean_up() {
    local code=$?
    set +e
    if [ $code != 0 ]; then
        say "FAILED. Logs: $logs"
        podman logs "$service" >>"$logs/service.log" 2>&1
    fi
    [ -z "${nginx_pid:-}" ] || kill "$nginx_pid" 2>/dev/null
    remove_containers
    [ -e "$work/database/postmaster.pid" ] && stop_database immediate
    rm -rf "$work"
    exit $code
}

# Also what a run that was killed left behind.
remove_containers() {
    local name
    for name in "$service" precall-test-elevenlabs precall-test-threecx; do
        podman rm --force --time 0 --ignore "$name" >/dev/null 2>&1
    done
    for name in voices prompts spool ledger logs; do
        podman volume rm --force "precall-test-$name" >/dev/null 2>&1
    done
    # A build that was killed leaves its container. The storage is this test's alone.
    buildah rm --all >/dev/null 2>&1
    return 0
}
