json_table(convert(:workers using utf8mb4), '$[*]' columns (id varchar(100) character set utf8mb4 path '$'))
