"""The `goldlake` command: thin; parses, calls a workflow, prints."""
