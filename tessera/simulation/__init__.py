"""Simulated workers, and the example that they label."""
