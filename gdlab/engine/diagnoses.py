"""What happened in the runs of a batch, as outcomes hold it; `gdlab.theory` finds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gdlab.engine.words import Words


class Diagnoses(Protocol):
    """What happened in each run of a batch."""

    def word(self, row: int) -> str | None:
        """Return the diagnosis of a run; None where there is none."""
        ...

    def all_words(self) -> Words:
        """Return the diagnoses of all runs."""
        ...

    def sentence(self, row: int) -> str | None:
        """Return it as a sentence, with its numbers."""
        ...


@dataclass(frozen=True)
class KnownDiagnoses:
    """Diagnoses that were made before: words and sentences by row."""

    words: Sequence[str | None]
    sentences: Sequence[str | None]

    def word(self, row: int) -> str | None:
        """Return the diagnosis of a run; None where there is none."""
        return self.words[row]

    def all_words(self) -> Words:
        """Return the diagnoses of all runs."""
        return Words(self.words, np.arange(len(self.words)))

    def sentence(self, row: int) -> str | None:
        """Return it as a sentence."""
        return self.sentences[row]
