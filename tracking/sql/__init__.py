"""SQL over all that a store holds, read-only: views of what the readers answer, asked by DuckDB (docs/sql.md)."""
