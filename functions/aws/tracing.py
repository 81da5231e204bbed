"""The X-Ray tracer. It loads botocore, so functions that a worker waits for never import it."""

from aws_lambda_powertools import Tracer

tracer = Tracer()
