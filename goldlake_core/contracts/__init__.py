"""Use-case and model contracts, names and errors. Standard library and YAML only."""

from goldlake_core.contracts.hashing import functions_hash

__all__ = ["functions_hash"]
