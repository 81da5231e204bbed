"""Reach AWS: the only modules that import boto3 and Powertools.

`connect` gives a connection with one object a service: `storage` (S3), `table(name)` (DynamoDB),
`functions` (Lambda), `workflow` (Step Functions), `users(pool)` (Cognito). The handlers and the
operator's tool use the same.
"""
