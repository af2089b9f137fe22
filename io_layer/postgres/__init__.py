"""PostgreSQL: the connection, its errors, the schema and its migrations."""
