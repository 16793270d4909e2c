# shellcheck shell=bash
# The secrets of an installation, for scripts/compose-setup and precall-setup of the package. Sourced, not run.
# They set `secrets` (folder), `secret_mode` and `admin_key` (file). ELEVENLABS_API_KEY, WEBHOOK_SECRET (of the
# ElevenLabs webhook) and THREECX_CLIENT_SECRET (routes bridge and transfer) come from the environment. All others are
# made: random, one file each. The environment may have THREECX_WEBHOOK_SECRET and INITIATION_SECRET, where they exist
# already.

missing=()

random() { openssl rand -hex 24; }

# keep FILE VALUE: writes the secret, unless the file is there.
keep() {
    [ ! -e "$1" ] || return 0
    (umask 077 && printf %s "$2" >"$1")
    chmod "$secret_mode" "$1"
}

# given NAME: the provider's secret, from the variable of the environment.
given() {
    local file=$secrets/${1,,}
    [ ! -e "$file" ] || return 0
    if [ -z "${!1:-}" ]; then
        missing+=("$file")
        return 0
    fi
    keep "$file" "${!1}"
}

# The first API key. precall gets its hash only. The key itself is for you: keep it elsewhere and delete the file.
first_api_key() {
    [ ! -e "$secrets/api_keys" ] || return 0
    local key
    key=$(random)
    (umask 077 && printf '%s\n' "$key" >"$admin_key")
    keep "$secrets/api_keys" "admin:admin:$(printf %s "$key" | sha256sum | cut -d' ' -f1)"
}

# The words that stand in compose.yaml.
of_the_simulators() {
    keep "$secrets/elevenlabs_api_key" of-the-simulated-elevenlabs
    keep "$secrets/webhook_secret" report-secret-of-the-simulators
    keep "$secrets/initiation_secret" initiation-secret-of-the-simulators
    keep "$secrets/threecx_client_secret" client-secret-of-the-simulators
    keep "$secrets/threecx_webhook_secret" pbx-secret-of-the-simulators
}

of_the_providers() {
    given ELEVENLABS_API_KEY
    given WEBHOOK_SECRET
    [ "$1" = callback ] || given THREECX_CLIENT_SECRET
    keep "$secrets/initiation_secret" "${INITIATION_SECRET:-$(random)}"
    keep "$secrets/threecx_webhook_secret" "${THREECX_WEBHOOK_SECRET:-$(random)}"
}

# secrets_for WAY
secrets_for() {
    first_api_key
    if [ "$1" = simulators ]; then of_the_simulators; else of_the_providers "$1"; fi
}

# what_is_left SETTINGS: what the administrator still has to do.
what_is_left() {
    echo "The API key for the dashboard and the API is in $admin_key."
    if grep -n '^[^#]*CHANGE_ME' "$1"; then echo "Fill in these lines of $1."; fi
    [ ${#missing[@]} -eq 0 ] || printf 'Write this secret, as `printf %%s SECRET >%s`.\n' "${missing[@]}"
}
