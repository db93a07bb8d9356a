select to_regclass({relation}) is not null
