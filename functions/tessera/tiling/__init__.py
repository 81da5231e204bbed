"""The pure core of labeling: no AWS, clock, environment or randomness."""
