"""The files of moving pictures: GIF and WebP by pillow, MP4 by ffmpeg. Equal pictures, equal bytes.

Shapes: F frames.
"""

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.errors import SettingError
from gdlab.plots.race import Track

if TYPE_CHECKING:
    from PIL.Image import Image

_COLORS = 127  # of a GIF, besides the transparent one
_ALIKE = 9  # of 255: how far apart colors of a GIF are at least
_BYTES = np.array([1 << 16, 1 << 8, 1])  # of red, green and blue in one number
_FIRST, _LAST = 0.6, 2.5  # seconds for which the first and the last frame stay
_FFMPEG = "ffmpeg"
_QUALITY = 20  # of H.264: 18 is nearly lossless, 28 is poor


@dataclass(frozen=True)
class Film:
    """A moving picture.

    Attributes:
        track: what is drawn.
        steps: (F,) the steps of its frames.
        fps: frames per second.
    """

    track: Track
    steps: Sequence[int]
    fps: float

    def frames(self) -> Iterator["Image"]:
        """Draw the frames, one after the other."""
        return map(self.track.frame, self.steps)

    @property
    def seconds(self) -> list[float]:
        """For how long each frame is shown (F,)."""
        each = [1 / self.fps] * len(self.steps)
        each[0] = max(each[0], _FIRST)
        each[-1] = max(each[-1], _LAST)
        return each


def gif(film: Film) -> bytes:
    """Return a GIF that repeats; a frame holds only what has changed."""
    from PIL.Image import Dither

    palette = _palette(film)
    first, *others = (f.quantize(palette=palette, dither=Dither.NONE) for f in film.frames())
    # The format counts in hundredths of a second; programs slow down what is shorter than two.
    duration = [10 * max(2, round(100 * seconds)) for seconds in film.seconds]
    buffer = io.BytesIO()
    look: Any = {"append_images": others, "duration": duration, "loop": 0}
    first.save(buffer, "GIF", save_all=True, optimize=True, disposal=1, **look)
    return buffer.getvalue()


def _palette(film: Film) -> "Image":
    """Return a picture whose palette all frames share: else the colors would flicker.

    It has the most frequent colors of the last, a middle and the first frame, none like another.
    """
    from PIL.Image import new

    shown = [film.track.frame(film.steps[at]) for at in (-1, len(film.steps) // 2, 0)]
    pixels = np.concatenate([np.asarray(frame).reshape(-1, 3) for frame in shown])
    found, counts = np.unique(pixels @ _BYTES, return_counts=True)
    frequent = found[np.argsort(-counts, kind="stable")]
    left = frequent[:, None] // _BYTES % 256
    colors: list[list[int]] = []
    while len(left) and len(colors) < _COLORS:
        colors.append(left[0].tolist())
        left = left[np.abs(left - left[0]).max(axis=1) > _ALIKE]
    palette = new("P", (1, 1))
    palette.putpalette([value for color in colors for value in color])
    return palette


def webp(film: Film) -> bytes:
    """Return a WebP that repeats, without loss."""
    first, *others = film.frames()
    duration = [round(1000 * seconds) for seconds in film.seconds]
    buffer = io.BytesIO()
    look: Any = {"append_images": others, "duration": duration, "loop": 0}
    first.save(buffer, "WEBP", save_all=True, lossless=True, method=4, **look)
    return buffer.getvalue()


def mp4(film: Film) -> bytes:
    """Return an H.264 video, by ffmpeg.

    Raises:
        SettingError: there is no ffmpeg, or it fails.
    """
    import tempfile

    program = shutil.which(_FFMPEG)
    if program is None:
        raise SettingError("out: an mp4 needs the program ffmpeg, which is not here; gif does not")
    width, height = film.track.frame(film.steps[0]).size
    with tempfile.TemporaryDirectory(prefix="gdlab-") as folder:
        path = Path(folder) / "film.mp4"
        command = [program, *_video_arguments(width, height, film.fps), str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            _, said = process.communicate(b"".join(_raw(film)))
        if process.returncode or not path.is_file():
            lines = said.decode(errors="replace").strip().splitlines() or ["it says nothing"]
            raise SettingError(f"out: ffmpeg failed: {lines[-1]}")
        return path.read_bytes()


def _video_arguments(width: int, height: int, fps: float) -> list[str]:
    """Return ffmpeg's arguments: one thread and no dates, so that equal frames give equal bytes."""
    raw = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {fps:g} -i -"
    even = "-vf pad=ceil(iw/2)*2:ceil(ih/2)*2"  # which the format of the colors requires
    coded = f"-c:v libx264 -pix_fmt yuv420p -crf {_QUALITY} -threads 1 -movflags +faststart"
    exact = "-fflags +bitexact -flags:v +bitexact -map_metadata -1"
    return f"-loglevel error -y {raw} -an {even} {coded} {exact}".split()


def _raw(film: Film) -> Iterator[bytes]:
    """Yield the pixels of the frames, each as often as it is shown."""
    for frame, seconds in zip(film.frames(), film.seconds, strict=True):
        pixels = frame.tobytes()
        for _ in range(max(1, round(seconds * film.fps))):
            yield pixels


FORMATS: Mapping[str, Callable[[Film], bytes]] = {"gif": gif, "mp4": mp4, "webp": webp}
"""What makes a file, by how its name ends."""
