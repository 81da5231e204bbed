"""Read images and labels as other tools write them, one module a tool, for a manifest of them."""
