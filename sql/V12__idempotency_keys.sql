-- Requests that a client marked with an Idempotency-Key, and what they were answered: for a day. The key and what it
-- was sent with are kept as hashes only.
create table idempotency_keys (
    -- The name of the API key. Each client has its own keys.
    client text not null,
    key_sha256 bytea not null,
    -- SHA-256 of method, path, query and body.
    request_sha256 bytea not null,
    begun_at timestamptz not null,
    -- Null while the request runs.
    status smallint,
    content_type text,
    answer bytea,
    constraint idempotency_keys_pkey primary key (client, key_sha256)
);

create index idempotency_keys_begun_at on idempotency_keys (begun_at);
