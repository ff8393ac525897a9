"""Use-case and model contracts, names and errors. Standard library and YAML only."""
