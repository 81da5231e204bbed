"""Stacks that Tessera is deployed as: on AWS, or in the embedded AWS on this machine."""
