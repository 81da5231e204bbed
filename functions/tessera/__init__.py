"""Tessera's own code as Lambda gets it."""
