"""What a command left on the terminal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str
