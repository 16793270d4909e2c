-- Late webhooks of 3CX that are not signed (by token, reports of the CRM template) lose what is personal as the signed
-- ones do.
create or replace function webhook_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased_names where name = new.provider_id
        and (kind = 'conversation' and new.kind not like '3cx%'
            or kind = 'pbx' and new.kind like '3cx%' and new.received_at < at + interval '35 minutes')) then
        new.body := null;
        new.reason := null;
    end if;
    return new;
end
$$;
