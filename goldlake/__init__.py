"""The engine of goldlake: contracts, storage, sources, workflows and the command line."""

__version__ = "0.1.0"
