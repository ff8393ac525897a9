"""Drafts contracts from data: what a table holds, written down for a person to look at."""
