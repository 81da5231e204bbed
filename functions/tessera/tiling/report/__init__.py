"""A run's figures in, report.json and report.html out."""
