-- The newest stays, so that a server which counts from the highest row never gives one twice.
select token
from {p}tokens
where token < (select max(token) from {p}tokens)
order by token
limit 1000
for update skip locked
