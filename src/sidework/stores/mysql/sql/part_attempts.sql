json_table(convert(:attempts using utf8mb4), '$[*]' columns (
  id char(36) character set ascii path '$.id',
  token bigint path '$.token'
))
