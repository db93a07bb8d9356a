-- Somebody else's objects in the schema keep it.
do $$
begin
  if not exists (select from pg_class where relnamespace = to_regnamespace({schema_literal})) then
    execute 'drop schema if exists ' || quote_ident({schema_literal});
  end if;
end
$$
