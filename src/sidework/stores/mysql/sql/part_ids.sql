json_table(convert(:ids using utf8mb4), '$[*]' columns (id char(36) character set ascii path '$'))
