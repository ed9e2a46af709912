"""The pictures that pages keep of those that commands draw."""

import io
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

MAX_BYTES = 50_000
# Mean difference of brightness, of 255: 0 on one machine, 0.4 for another lr of a path.
SAME_PICTURE = 0.2
_COLORS = (256, 128, 64, 32)
MOVING = ".gif"
_REDUCE = 8  # compared at an eighth of the size, where letters are gray


def newest(source: str) -> Path:
    """Return the newest file that a pattern matches.

    Raises:
        ValueError: there is none.
    """
    found = sorted(Path().glob(source), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise ValueError(f"{source}: no command above the picture left it")
    return found[-1]


def small(source: Path | io.BytesIO) -> bytes:
    """Return a picture with so few colors that it takes at most `MAX_BYTES`; 32 do for a drawing.

    The colors are chosen by coverage: a small red point stays red beside much blue. A moving
    picture is as small as it can be.
    """
    if isinstance(source, Path) and source.suffix == MOVING:
        return source.read_bytes()
    with Image.open(source) as picture:
        opaque = picture.convert("RGB")
    buffer = io.BytesIO()
    for colors in _COLORS:
        buffer = io.BytesIO()
        reduced = opaque.quantize(colors, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        reduced.save(buffer, "png", optimize=True)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()


def looks_like(drawn: bytes, kept: Path) -> bool:
    """Return whether a small picture is the same to the eye as the one that a page keeps."""
    return kept.exists() and same_picture(drawn, kept.read_bytes())


def same_picture(first: bytes, second: bytes) -> bool:
    """Return whether two pictures, or the last frames of moving ones, are the same to the eye."""
    with Image.open(io.BytesIO(first)) as one, Image.open(io.BytesIO(second)) as other:
        frames = [getattr(picture, "n_frames", 1) for picture in (one, other)]
        if one.size != other.size or frames[0] != frames[1]:
            return False
        for picture in (one, other):
            picture.seek(frames[0] - 1)
        pair = [picture.convert("RGB").reduce(_REDUCE) for picture in (one, other)]
    return max(ImageStat.Stat(ImageChops.difference(*pair)).mean) <= SAME_PICTURE
