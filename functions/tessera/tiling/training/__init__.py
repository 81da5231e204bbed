"""Write labels into the training manifest and the manifests beside it."""
