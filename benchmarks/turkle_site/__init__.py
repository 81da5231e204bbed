"""Django project that serves Turkle, the peer of `portal_load.py`, in an environment of its own."""
