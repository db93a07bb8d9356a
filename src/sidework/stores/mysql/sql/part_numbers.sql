json_table(convert(:numbers using utf8mb4), '$[*]' columns (number bigint path '$'))
