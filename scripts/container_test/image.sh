# shellcheck shell=bash
# What scripts/container-test checks of the images themselves, and of the process in its container. Sourced, not run.

# A copy of what belongs to the checkout, with a secret of each kind planted: none may get into a layer.
context() {
    mkdir -p "$work/context"
    git ls-files -z --cached --others --exclude-standard |
        xargs -0 -r cp --parents --preserve=timestamps --target-directory="$work/context" 2>/dev/null || true
    [ -f "$work/context/Cargo.lock" ] || fail 'the checkout could not be copied'
    mkdir -p "$work/context/data/secrets/precall"
    echo "$planted" | tee "$work/context/.env" "$work/context/src/.env" >"$work/context/data/secrets/precall/api_keys"
}

# The archive that a release hands out.
handed_out() {
    podman tag precall-test-precall precall
    podman tag precall-test-simulators precall-simulators
    CONTAINER_ENGINE=podman scripts/release-images --no-build "$work/dist" >"$logs/release-images.log" 2>&1 ||
        fail "the archive was not made: $(tail -n 5 "$logs/release-images.log")"
    # All their names.
    podman untag precall-test-precall
    podman untag precall-test-simulators
}

# From here on the images are those of the archive.
images_of_a_release() {
    (cd "$work/dist" && sha256sum --quiet --check ./*.sha256) || fail 'the checksum of the archive is wrong'
    zcat "$work"/dist/precall_*_images.tar.gz | podman load --quiet >/dev/null
    podman tag precall precall-test-precall
    podman tag precall-simulators precall-test-simulators
    say "the archive has $(($(stat -c %s "$work"/dist/precall_*_images.tar.gz) / 1000000)) MB"
}

image_is_as_the_dockerfile_says() {
    local size said
    size=$(podman image inspect --format '{{.Size}}' precall-test-precall)
    [ "$size" -lt 60000000 ] || fail "the image has $size bytes"
    said=$(podman image inspect precall-test-precall | value '[v[0]["Config"]["User"], v[0]["Config"]["StopSignal"],
        len(v[0]["Config"]["Volumes"]), v[0]["Healthcheck"]["Test"][1:]]')
    [ "$said" = "['10001:10001', 'SIGTERM', 5, ['/usr/local/bin/precall', 'healthcheck']]" ] || fail "it says $said"
    say "the image has $((size / 1000000)) MB; simulators: $(podman image inspect --format '{{.Size}}' \
        precall-test-simulators | cut -c1-2) MB; user, stop signal, volumes and health check are set"
}

# Neither simulators nor an embedded database nor a shell.
image_has_the_program_alone() {
    local root code=0 said
    root=$(podman image mount precall-test-precall)
    (cd "$root" && find . -type f | sort) >"$logs/files"
    ! grep -E '/(ba|da)?sh$|/(apt|dpkg|busybox)$' "$logs/files" || fail 'there is a shell or a package manager'
    ! grep -aqE 'precall_simulators|precall_embedded_postgres' "$root/usr/local/bin/precall" ||
        fail 'the program has simulators or an embedded database in it'
    podman image unmount precall-test-precall >/dev/null
    said=$(confined --rm precall-test-precall demo 2>&1) || code=$?
    [ "$code" = 2 ] && [[ $said == *'no simulators'* ]] || fail "\`demo\` ended with $code: $said"
    code=0
    said=$(confined --rm precall-test-precall 2>&1) || code=$?
    [ "$code" = 2 ] && [[ $said == *DATABASE_URL* ]] || fail "without settings it ended with $code: $said"
    say "$(wc -l <"$logs/files") files: no shell, no simulators, no embedded database"
}

# A file of patterns, one secret a line: what must not be seen.
secrets_in() {
    local file
    for file in "$work"/data/secrets/*/* "$admin_key"; do
        printf '%s\n' "$(cat "$file")"
    done
}

no_secret_in_layers() {
    echo "$planted" >"$work/planted"
    podman save --format docker-archive --output "$work/image.tar" precall-test-precall 2>"$logs/save.log"
    mkdir "$work/layers" && tar -C "$work/layers" -xf "$work/image.tar"
    ! grep -rlaF -f "$work/planted" "$work/layers" || fail 'the planted secret is in a layer'
    # The search sees what is in a layer.
    grep -rqaF 'precall:x:10001' "$work/layers" || fail 'no layer was looked at'
    rm -rf "$work/layers" "$work/image.tar"
    # The stages that build: a cache of a registry has them, too.
    local stage root looked=0
    for stage in $(buildah images --all --quiet); do
        root=$(podman image mount "$stage")
        [ ! -e "$root/precall/src/main.rs" ] || looked=$((looked + 1))
        ! grep -rlaF --exclude-dir=target -f "$work/planted" "$root/precall" 2>/dev/null ||
            fail "the planted secret is in a build stage"
        podman image unmount "$stage" >/dev/null
    done
    [ "$looked" -ge 2 ] || fail 'no build stage was looked at'
    say "no secret in a layer of the image, or of $looked images of build stages"
}

no_secret_in_view() {
    local pid
    pid=$(podman inspect --format '{{.State.Pid}}' "$service")
    secrets_in >"$work/patterns"
    [ "$(wc -l <"$work/patterns")" -ge 8 ] || fail 'secrets are missing'
    podman inspect "$service" >"$work/view"
    tr '\0' '\n' <"/proc/$pid/environ" >>"$work/view"
    tr '\0' '\n' <"/proc/$pid/cmdline" >>"$work/view"
    podman logs "$service" >>"$work/view" 2>&1
    cat "$(podman volume inspect --format '{{.Mountpoint}}' precall-test-logs)"/* >>"$work/view"
    podman exec "$service" /usr/local/bin/precall config show >>"$work/view"
    grep -q ELEVENLABS_API_KEY_FILE "$work/view" || fail 'the view of the container is empty'
    ! grep -nF -f "$work/patterns" "$work/view" | cut -c1-120 | grep . || fail 'a secret can be seen'
    say 'no secret in the listing of the container, its environment, its arguments, its log and `config show`'
}

process_is_confined() {
    local pid said root
    pid=$(podman inspect --format '{{.State.Pid}}' "$service")
    said=$(awk '$1 ~ /^(Uid|Gid|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs):$/ { printf "%s%s ", $1, $2 }' \
        "/proc/$pid/status")
    local none=0000000000000000
    [ "$said" = "Uid:10001 Gid:10001 CapInh:$none CapPrm:$none CapEff:$none CapBnd:$none CapAmb:$none \
NoNewPrivs:1 " ] || fail "the process has $said"
    root=$(awk '$5 == "/" { print $6 }' "/proc/$pid/mountinfo")
    [[ ,$root, == *,ro,* ]] || fail "the root is mounted with $root"
    [ -s "$(podman volume inspect --format '{{.Mountpoint}}' precall-test-logs)/voiceclone.log" ] ||
        fail 'it writes no log'
    say 'the process is 10001, without capabilities, no new privileges, on a read-only root'
}

is_healthy() { podman healthcheck run "$service"; }

# After a change of our own source, no crate of others is compiled.
second_build() {
    local foreign
    echo '// A change.' >>"$work/context/src/main.rs"
    build precall "$work/context"
    foreign=$(sed -n 's/^ *Compiling \([^ ]*\) .*/\1/p' "$logs/build-precall.log" | grep -v '^precall' || true)
    [ -z "$foreign" ] || fail "compiled again: $foreign"
    grep -q '^ *Compiling precall ' "$logs/build-precall.log" || fail 'precall itself was not compiled again'
    say "the second build compiled $(grep -c '^ *Compiling' "$logs/build-precall.log") crates, all of them ours"
}
