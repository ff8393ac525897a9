"""Files of data as other people write them: packed or not, with any delimiter and encoding."""
