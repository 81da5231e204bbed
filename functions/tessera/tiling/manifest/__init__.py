"""Manifest lines in, batches of images out."""
