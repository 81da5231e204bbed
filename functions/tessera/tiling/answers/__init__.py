"""Workers' submissions in, columns of answers out."""
