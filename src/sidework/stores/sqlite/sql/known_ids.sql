-- Jobs whose ids were not given by their callers, and which a caller now means by them.
select id from {p}jobs where id in (select value from json_each(CAST(:ids AS text)))
union all
select id from {p}history where id in (select value from json_each(CAST(:ids AS text)))
