update {p}tokens
set last = last + 1
returning last
