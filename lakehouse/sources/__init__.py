"""API connectors and their simulator sides, each a plug-in."""
