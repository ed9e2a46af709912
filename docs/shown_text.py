"""What a page shows of the printed lines: compared, and written anew.

`...` on a line of its own stands for any lines, and within a line for any text. Other lines must be
the same, numbers up to `RTOL` or `ATOL`: their last digits depend on the processor. The number in
the name of a directory that another of the same second has, `runs/260101-120000-sweep-2`, is left
out.
"""

import difflib
import math
import operator
import re
from collections.abc import Sequence

RTOL, ATOL = 1e-4, 1e-9
_ANY = "..."
_DATE = re.compile(r"\b\d{6}-\d{6}(?=-)")
_SAME_SECOND = re.compile(r"(\b\d{6}-\d{6}-[^\s/]*?)(?<!\de)-[1-9]\d*(?=[\s/]|$)")
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


def same_line(shown: str, printed: str) -> bool:
    """Return whether a line shows what was printed.

    >>> same_line("loss  0.1234", "loss 0.12340001")
    True
    >>> same_line("took ... s", "took 0.2 s")
    True
    >>> same_line("files  runs/...-sweep", "files  runs/260101-120000-sweep-2")
    True
    """
    shown, printed = (" ".join(text.split()) for text in (shown, _undisturbed(printed)))
    if _ANY in shown:
        return re.fullmatch(".*".join(map(re.escape, shown.split(_ANY))), printed) is not None
    ours, theirs = _NUMBER.split(shown), _NUMBER.split(printed)
    return (
        len(ours) == len(theirs)
        and ours[::2] == theirs[::2]
        and all(map(_same_number, ours[1::2], theirs[1::2]))
    )


def _undisturbed(printed: str) -> str:
    """Return a line with the names that directories have where no other is of the same second."""
    return _SAME_SECOND.sub(r"\1", printed)


def _same_number(ours: str, theirs: str) -> bool:
    numbers = (float(text) for text in (ours, theirs))
    return math.isclose(*numbers, rel_tol=RTOL, abs_tol=ATOL)


def difference(shown: str, printed: str) -> str | None:
    """Return the first shown line that was not printed where it stands; None for no such line."""
    segments, lines, at = _segments(shown), printed.splitlines(), 0
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if place == 0:
            starts = [0]
        elif last:
            starts = [len(lines) - len(segment)] if segment else [len(lines)]
        else:
            starts = list(range(at, len(lines) - len(segment) + 1))
        found = next((s for s in starts if s >= at and _same(segment, lines[s:])), None)
        if found is None:
            return "\n".join(segment)
        at = found + len(segment)
    return "\n".join(lines[at:]) or None


def _same(segment: Sequence[str], lines: Sequence[str]) -> bool:
    return len(segment) <= len(lines) and all(map(same_line, segment, lines))


def _segments(shown: str) -> list[list[str]]:
    """Return the runs of lines between those that stand for any lines."""
    segments: list[list[str]] = [[]]
    for line in shown.splitlines():
        if line.strip() == _ANY:
            segments.append([])
        else:
            segments[-1].append(line)
    return segments


def renew(shown: str, printed: str) -> str:
    """Return a text block with what is printed now, cut where the block was cut.

    A part between two cuts begins and ends at the lines that are most like its first and last; the
    dates in the names of directories are cut.
    """
    segments, lines, at = _segments(shown), printed.splitlines(), 0
    cuts = [line for line in shown.splitlines() if line.strip() == _ANY]
    parts: list[str] = []
    for place, segment in enumerate(segments):
        parts += cuts[place - 1 : place] if place else []
        start = at if place == 0 or not segment else _nearest(segment[0], lines, at)
        end = len(lines) if segment or len(segments) == 1 else start
        if place < len(segments) - 1 and segment:
            end = _nearest(segment[-1], lines, start + (len(segment) > 1)) + 1
        elided = [line for line in segment if _ANY in line]
        for line in lines[start:end]:
            now = _DATE.sub(_ANY, _undisturbed(line.rstrip()))
            parts.append(next((cut for cut in elided if same_line(cut, line)), now))
        at = end
    return "".join(f"{line}\n" for line in parts)


def _nearest(line: str, lines: Sequence[str], at: int) -> int:
    """Return the index, from `at` on, of the line most like another: its first word, then all."""

    def likeness(other: str) -> tuple[bool, float]:
        words = (text.split()[:1] for text in (line, other))
        ours, theirs = (_NUMBER.sub("0", text) for text in (line, other))
        return operator.eq(*words), difflib.SequenceMatcher(None, ours, theirs).ratio()

    return max(range(at, len(lines)), key=lambda place: likeness(lines[place]), default=at)
