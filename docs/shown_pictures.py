"""The pictures that pages keep of those that commands draw."""

from pathlib import Path

from PIL import Image, ImageChops, ImageStat

MAX_BYTES = 50_000
SAME_PICTURE = 0.3  # mean difference of brightness, of 255; 0.17 is seen for fewer colors
_COLORS = (256, 128, 64, 32)
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


def looks_like(ours: Path, theirs: Path) -> bool:
    """Return whether two pictures are the same to the eye."""
    with Image.open(ours) as first, Image.open(theirs) as second:
        if first.size != second.size:
            return False
        pair = [picture.convert("RGB").reduce(_REDUCE) for picture in (first, second)]
    return max(ImageStat.Stat(ImageChops.difference(*pair)).mean) <= SAME_PICTURE


def save_small(source: Path, target: Path) -> None:
    """Copy a picture with so few colors that it takes at most `MAX_BYTES`; 32 do for a drawing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        for colors in _COLORS:
            small = picture.convert("RGB").quantize(colors, dither=Image.Dither.NONE)
            small.save(target, optimize=True)
            if target.stat().st_size <= MAX_BYTES:
                return
