"""Spark and Delta: landing, bronze, silver, gold and export."""
