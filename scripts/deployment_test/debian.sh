# shellcheck shell=bash
# The fresh Debian of scripts/package-test, and the packages that it installs. Sourced, not run.

debian_packages() {
    local missing=() command
    for command in debootstrap curl python3 cc make; do
        command -v "$command" >/dev/null || missing+=("${command/#cc/gcc}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    timeout 600 apt-get update -qq
    timeout 900 apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# Two packages of the same program: the second one is newer.
packages() {
    scripts/release "$@" "$work/dist" >"$logs/release.log" 2>&1 || fail "release: $(tail -n 20 "$logs/release.log")"
    (cd "$work/dist" && sha256sum --quiet --check SHA256SUMS) || fail 'SHA256SUMS'
    is 'v["bomFormat"] == "CycloneDX" and len(v["components"]) > 200' <"$work/dist/precall.cdx.json" ||
        fail 'the list of components'
    ! grep -q '"precall-simulators"' "$work/dist/precall.cdx.json" || fail 'the list has the simulators'
    first=$(echo "$work"/dist/precall_*.deb)
    version=$(dpkg-deb --field "$first" Version)
    version=${version%-*}
    target=$(cargo metadata --quiet --locked --no-deps --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    second=$work/newer.deb
    PATH=$target/release-tools/bin:$PATH cargo deb --quiet --locked --no-build --no-strip --deb-revision 2 \
        --output "$second"
    # The simulators that it talks to.
    cargo build --quiet --locked --bin precall
    say "packages $(basename "$first"), $(stat -c %s "$first") bytes, and one that is newer"
}

# Made once, and kept as an archive.
fresh_debian() {
    local archive=$cache/$suite.tar
    if [ ! -e "$archive" ]; then
        say 'making a fresh Debian'
        timeout 900 debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$(debian_mirror)" \
            >"$logs/debootstrap.log" 2>&1 || fail "debootstrap failed: $(tail -n 3 "$logs/debootstrap.log")"
        tar -C "$root" -cf "$archive.new" . && mv "$archive.new" "$archive"
    else
        mkdir -p "$root" && tar -C "$root" -xf "$archive"
    fi
    # This machine may reach the mirror through an authority of its own.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
    printf 'exit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common"
    echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    timeout 600 chroot "$root" apt-get update -qq >"$logs/apt.log" 2>&1 || fail "$(tail -n 3 "$logs/apt.log")"
}

in_root() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# install_package FILE: with what it depends on and recommends.
install_package() {
    cp "$1" "$root/tmp/precall.deb"
    timeout 900 chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y /tmp/precall.deb \
        >>"$logs/apt.log" 2>&1 || fail "the package cannot be installed: $(tail -n 5 "$logs/apt.log")"
}

# The PostgreSQL that the package recommends.
start_database() {
    local release
    release=$(basename "$(dirname "$(dirname "$(compgen -G "$root/usr/lib/postgresql/*/bin/initdb")")")")
    in_root pg_createcluster --port "$database_port" "$release" main >"$logs/postgres.log" 2>&1
    in_root pg_ctlcluster --skip-systemctl-redirect "$release" main start >>"$logs/postgres.log" 2>&1 ||
        fail "PostgreSQL: $(tail -n 3 "$logs/postgres.log")"
}

end_of_run() {
    set +e
    [ "$1" = 0 ] || say "FAILED. Logs: $logs"
    # The processes of this run's own namespace, where this shell is the first one.
    [ $$ != 1 ] || kill -KILL -1
    umount --recursive --lazy "$root/dev" "$root/proc" 2>/dev/null
    # Never into a mount that is still there.
    rm -rf --one-file-system "$work"
    exit "$1"
}
