"""Where Tessera is deployed: AWS, or the embedded AWS on this machine."""
