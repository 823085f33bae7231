"""Runs, terminals and a terminal with itself compared."""
