-- Legs that a process which has left by plan still plays into, because caller or agent is in the middle of something.
-- Its successor opens the audio of a leg that is no longer on the list, and of all when `beat` stands still.
create table hand_over (
    one boolean primary key default true check (one),
    generation bigint not null,
    beat bigint not null,
    legs text[] not null,
    -- The successor has read the calls back.
    has_calls boolean not null default false,
    -- The access token of 3CX, sealed with its secret, until the successor has it.
    token bytea
);
