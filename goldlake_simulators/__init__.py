"""The APIs of sources, played back on this machine from exports or generated rows."""
