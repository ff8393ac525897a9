"""ML Metadata: recording data snapshots, lineage queries, what is promoted."""
