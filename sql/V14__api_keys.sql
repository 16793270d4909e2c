-- Keys of the API that administrators make while precall runs, beside those of API_KEYS. A key itself is never stored.
create table api_keys (
    id uuid not null constraint api_keys_pkey primary key,
    -- For logs and the audit log. A name is used once, also by a revoked key.
    name text not null constraint api_keys_name_key unique,
    -- Who has the key, for people.
    owner text,
    key_sha256 bytea not null constraint api_keys_key_sha256_key unique,
    -- read, pii, voice, listen, operate, admin.
    scopes text[] not null,
    -- Addresses and CIDR blocks that may use it; empty: any address.
    addresses text[] not null,
    created_at timestamptz not null,
    created_by text not null,
    -- Null: until it is revoked.
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    -- Written once a minute.
    last_used_at timestamptz
);
