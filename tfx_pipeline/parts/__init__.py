"""Functions that a contract may name in place of goldlake's own, and how named ones are found."""
