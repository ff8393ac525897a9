"""One interface to the home (any fsspec URL): landing, manifests, cursors, locks, run folders."""
