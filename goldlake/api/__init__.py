"""The Python API: a home and what it holds, as objects. `goldlake.open` makes one.

Everything reads the typed views and calls the workflows of the command line; nothing is computed
here. Errors are those of the commands, with the same texts.
"""
