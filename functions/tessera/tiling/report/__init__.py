"""Turn a round's result into figures, report.json, report.html, metrics and an announcement."""
