"""What developers run: schema, reference, monitoring, samples."""
