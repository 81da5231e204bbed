"""Batches of images in, tasks of about twenty images out."""
