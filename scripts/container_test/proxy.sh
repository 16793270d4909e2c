# shellcheck shell=bash
# deploy/nginx behind scripts/container-test: Debian's nginx with TLS in front of precall. Sourced, not run.

# In place of this shell, so that a signal to it reaches the program.
as_nobody() { exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@" 9>&-; }

# The configuration of compose.yaml, with this machine's paths and ports, and nothing else changed.
proxy() {
    local folder=$work/nginx
    mkdir -p "$folder/tls" "$folder/tmp"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost' -keyout "$folder/tls/privkey.pem" -out "$folder/tls/fullchain.pem" \
        2>"$logs/openssl.log"
    cp deploy/nginx/*.conf "$folder"
    # The folder /tmp first: the others become folders in it.
    sed -i -e "s# /tmp/# $folder/tmp/#; s#/dev/std[a-z]*#$folder/tmp/log#" \
        -e "s#/etc/nginx/precall/#$folder/#; s#/etc/nginx/tls/#$folder/tls/#" \
        -e "s#/etc/letsencrypt/live/precall.example.com/#$folder/tls/#" \
        -e "s#server precall:3006;#server 127.0.0.1:$port;#" \
        -e "s#listen 8443 ssl;#listen 127.0.0.1:$proxy_port ssl;#" \
        -e "s#listen 443 ssl;#listen 127.0.0.1:$host_proxy_port ssl;#; /listen \[::\]:443/d" "$folder"/*.conf
    chown -R nobody: "$folder"
    cat >"$folder/host.conf" <<SETTINGS
pid $folder/host.pid;
error_log $folder/host.log;
events {}
http { access_log off; include $folder/precall.conf; }
SETTINGS
    /usr/sbin/nginx -t -q -c "$folder/host.conf" 2>"$logs/nginx.log" ||
        fail "nginx refuses deploy/nginx/precall.conf: $(cat "$logs/nginx.log")"
    (as_nobody /usr/sbin/nginx -t -q -c "$folder/container.conf" 2>"$logs/nginx.log") ||
        fail "nginx refuses deploy/nginx/container.conf: $(cat "$logs/nginx.log")"
    as_nobody /usr/sbin/nginx -c "$folder/container.conf" -g 'daemon off;' 2>>"$logs/nginx.log" &
    nginx_pid=$!
    until_true 10 'nginx answers' \
        curl -sS --cacert "$folder/tls/fullchain.pem" "https://localhost:$proxy_port/health/live"
}

through_the_proxy() {
    proxy
    ring "$work/report" --seconds 60 &
    local ringing=$!
    until_true 60 'the agent speaks' conversing
    timeout 60 python3 scripts/container_test/through_proxy.py "$proxy_port" \
        "$work/nginx/tls/fullchain.pem" pbx-secret-of-the-simulators report-secret-of-the-simulators \
        "${caller/+/%2B}" <"$admin_key" >"$logs/proxy.log" 2>&1 ||
        fail "through the proxy: $(tail -n 4 "$logs/proxy.log")"
    wait "$ringing" || fail 'the call that was listened to did not end'
    kill "$nginx_pid" && { wait "$nginx_pid" || true; }
    nginx_pid=
    ! grep -F /webhook/3cx/ "$work/nginx/tmp/log" || fail 'a token is in the log of nginx'
    ! grep -F "${caller#+}" "$work/nginx/tmp/log" || fail 'the number of a caller is in the log of nginx'
    grep -qF '/api/v1/callers/...' "$work/nginx/tmp/log" || fail 'the request for a caller is not in the log of nginx'
    say "through nginx with TLS: $(tail -n 1 "$logs/proxy.log")"
}
