"""Read pictures of folders and manifests, and write their embeddings to a file."""
