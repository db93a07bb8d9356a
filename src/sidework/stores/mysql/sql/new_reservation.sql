-- A name under which an insert reserves the ids that its caller chose.
select uuid()
