-- Where the legs of live calls are: address and client id of 3CX, as the acting engine uses them. A start that would
-- use another 3CX, or none, refuses to leave live callers behind. Null without 3CX call control.

alter table engine add column pbx text;
