"""Name what is wrong with an encoder."""


class EncoderUnusable(Exception):
    """Encoder that cannot be loaded, or is none; the message says why, and what to do."""
