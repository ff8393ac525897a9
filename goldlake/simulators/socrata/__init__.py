"""Socrata's SODA 2.x API: the connector that reads it and the simulator that speaks it."""
