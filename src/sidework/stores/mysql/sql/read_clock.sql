-- The time of an insert, and a name under which it reserves the ids that its caller chose.
select {now}, uuid()
