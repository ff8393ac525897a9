"""Gold tables: rows made of silver, kept up by what changed, and compared with a rebuild."""
