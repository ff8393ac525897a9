"""The embedded TF Serving-compatible server and its client."""
