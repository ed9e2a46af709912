"""Pictures that pages keep are small, keep their colors, and are compared as the eye does."""

import io
import os
from pathlib import Path

from PIL import Image, ImageDraw
from shown_pictures import MAX_BYTES, looks_like, newest, small

RED = (200, 16, 46)


def test_small_pictures_keep_a_red_point(tmp_path: Path) -> None:
    source = Image.new("RGB", (96, 96))
    source.putdata([(x % 96, x // 96, 220) for x in range(96 * 96)])
    ImageDraw.Draw(source).ellipse((60, 60, 84, 84), fill=RED)
    source.save(tmp_path / "drawn.png")
    reduced = small(tmp_path / "drawn.png")
    assert len(reduced) <= MAX_BYTES
    with Image.open(io.BytesIO(reduced)) as picture:
        found = picture.convert("RGB").getpixel((72, 72))
    assert isinstance(found, tuple)
    assert max(abs(a - b) for a, b in zip(found, RED, strict=True)) <= 8


def test_pictures_are_compared(tmp_path: Path) -> None:
    for name, at in (("a", 60), ("b", 90)):
        picture = Image.new("RGB", (320, 280), "white")
        ImageDraw.Draw(picture).ellipse((at, at, at + 24, at + 24), fill=RED)
        picture.save(tmp_path / f"{name}.png")
    kept = tmp_path / "kept.png"
    assert not looks_like(small(tmp_path / "a.png"), kept)
    kept.write_bytes(small(tmp_path / "a.png"))
    assert looks_like(small(tmp_path / "a.png"), kept)
    assert not looks_like(small(tmp_path / "b.png"), kept)


def test_the_newest_file_counts(here: Path) -> None:
    for place, name in enumerate(("b", "a")):
        folder = here / "runs" / name
        folder.mkdir(parents=True)
        (folder / "x.png").touch()
        os.utime(folder / "x.png", (place, place))
    assert newest("runs/*/x.png") == Path("runs/a/x.png")
