"""Runs of the labeling machine, seen from outside: started, followed, shown."""
