"""The names that Powertools reads when a handler is imported."""

import os

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Tessera")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "tests")
