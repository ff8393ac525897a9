"""Pages of the book that are generated from contracts."""
