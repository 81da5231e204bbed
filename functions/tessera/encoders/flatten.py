"""Bring pictures into a mode of eight bits without transparency."""

from __future__ import annotations

from PIL import Image


def flatten(image: Image.Image) -> Image.Image:
    """Return a picture in a mode of eight bits that a JPEG has: gray, or red, green and blue."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = image.convert("F")
        low, high = values.getextrema()
        spread = 255 / (high - low) if high > low else 0.0  # type: ignore[operator]  # one band
        return values.point(lambda value: value * spread - low * spread).convert("L")  # type: ignore[operator]  # one band
    if image.mode in ("1", "L"):
        return image.convert("L")
    if image.has_transparency_data:
        background = Image.new("RGBA", image.size, "white")
        background.alpha_composite(image.convert("RGBA"))
        return background.convert("RGB")
    return image.convert("RGB")
