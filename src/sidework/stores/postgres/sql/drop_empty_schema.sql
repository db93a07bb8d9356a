-- Somebody else's objects in the schema keep it.
do $$
begin
  if not exists (
    select from pg_depend
    where refclassid = CAST('pg_namespace' AS regclass)
      and refobjid = to_regnamespace(quote_ident({schema_literal}))
  ) then
    execute 'drop schema if exists ' || quote_ident({schema_literal});
  end if;
end
$$
