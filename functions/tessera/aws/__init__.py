"""The door to AWS: the only modules that import boto3 and Powertools."""
