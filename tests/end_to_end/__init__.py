"""The command line on real parts: what a person types, from nothing to the answer."""
