"""What passes between stages, workflows, the command line and files: one type per document.

Import from the modules, so that the code hash of a TFX node holds only the documents it reads.
"""
