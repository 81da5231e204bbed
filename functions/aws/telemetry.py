"""One logger and one metrics collector for all functions, made once.

Names come from the function's environment: `POWERTOOLS_SERVICE_NAME`, `POWERTOOLS_METRICS_NAMESPACE`.
"""

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()
