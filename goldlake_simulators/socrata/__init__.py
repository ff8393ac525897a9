"""Simulates a portal of Socrata's SODA 2.x API, from exports or generated rows."""
