"""Connectors to APIs and files, each one kind of source, and how their pages are landed."""
