# shellcheck shell=bash
# The container engine of scripts/container-test: Debian's packages, a storage of its own, and a stand-in for the base
# image of the Dockerfile. Sourced, not run.

# The name in the Dockerfile, so that the stand-in is found under it.
rust_image=$(sed -n 's/^ARG RUST_IMAGE=//p' Dockerfile)

engine_packages() {
    local missing=() command
    for command in buildah podman runc debootstrap; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    # Of PostgreSQL and nginx the programs alone are used.
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
    [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v curl >/dev/null || missing+=(curl)
    command -v python3 >/dev/null || missing+=(python3)
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    # Neither a cluster on port 5432, nor an nginx on port 80: in runlevel 1 no service is started.
    local settings=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$settings" ]; then
        mkdir -p "${settings%/*}"
        echo 'create_main_cluster = false' >"$settings"
    fi
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    timeout 600 apt-get update -qq
    timeout 900 apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" \
        >/dev/null
}

# A storage of its own: the stand-in has the name of a real image and must not be found by anybody else.
engine_settings() {
    mkdir -p "$cache" && chmod 700 "$cache"
    # One run at a time: two would remove each other's containers.
    exec 9>"$cache/lock"
    flock --wait 5 9 || fail 'another container test is running'
    local files
    files=$(ulimit -Hn)
    [ "$files" != unlimited ] && [ "$files" -lt 65536 ] || files=65536
    cat >"$cache/storage.conf" <<SETTINGS
[storage]
driver = "overlay"
graphroot = "$cache/storage"
runroot = "$cache/run"
SETTINGS
    # crun refuses hybrid cgroups, and neither systemd nor a journal is needed.
    cat >"$cache/containers.conf" <<SETTINGS
[containers]
netns = "host"
default_ulimits = ["nofile=$files:$files", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
SETTINGS
    export CONTAINERS_STORAGE_CONF=$cache/storage.conf CONTAINERS_CONF=$cache/containers.conf
    # Layers that no build has used are gigabytes.
    podman image prune --force --filter until=168h >/dev/null
}

# Debian's compiler and the toolchain of this machine, under the name of the base image. It has no more than that has:
# a C compiler, make and certificate authorities.
stand_in() {
    local toolchain root=$cache/root key made
    toolchain=$(rustc --print sysroot)
    key=$(rustc --version)-$suite-1
    made=$(podman image inspect --format '{{index .Labels "key"}}' "docker.io/library/$rust_image" 2>/dev/null || true)
    [ "$made" != "$key" ] || return 0
    say "making a stand-in for $rust_image"
    rm -rf "$root"
    timeout 900 debootstrap --variant=buildd --include=ca-certificates,pkg-config "$suite" "$root" "$(debian_mirror)" \
        >"$logs/debootstrap.log" 2>&1 || fail "debootstrap failed: $(tail -n 3 "$logs/debootstrap.log")"
    mkdir -p "$root/usr/local/cargo"
    cp -a "$toolchain/bin" "$toolchain/lib" "$root/usr/local/cargo/"
    # This machine may reach the registry of crates through an authority of its own.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    tar -C "$root" -c --exclude=./var/cache/apt . | podman import --quiet --change "LABEL key=$key" \
        --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV CARGO_HOME=/usr/local/cargo' --change 'CMD=["bash"]' - "docker.io/library/$rust_image" \
        >/dev/null
    rm -rf "$root"
}

# build TARGET FOLDER: the image precall-test-TARGET from this folder. Layers are kept from one run to the next.
build() {
    local target=$1 folder=$2 began=$SECONDS log=$logs/build-$1.log
    # `docker` format: the other one has no HEALTHCHECK. `chroot`: needs no cgroups.
    timeout 3600 buildah bud --isolation chroot --pull-never --layers --format docker --target "$target" \
        --tag "precall-test-$target" "$folder" >"$log" 2>&1 || fail "the build failed: $(tail -n 20 "$log")"
    say "built $target in $((SECONDS - began)) s"
}
