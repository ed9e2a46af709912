"""What a diagnosis needs of a run's records: its first record, its last ones and its best point.

Shapes: R runs, D dimensions, K records of a chunk, n rows of a chunk, W = `TAIL` + 1 records.
"""

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk
from gdlab.engine.status import Status
from gdlab.numerics.threads import one_thread

TAIL = 32
"""The steps before the end of a run that are looked at."""


class Evidence:
    """The parts of the records of a batch that say why its runs ended as they did.

    Attributes:
        first_loss: the loss at the start (R,); NaN without records.
        first_norm: the gradient norm at the start (R,), likewise.
        loss: the losses at the last records (W, R), the last one last; NaN where not computed or
            where a run has fewer records.
        norm: the gradient norms there (W, R), likewise.
        rate: the learning rate at the last record (R,).
        best: the point with the smallest loss (R, D).
        beyond: the point (R, D) of the first record that is not finite: the start, or else one
            that is not part of the run; NaN where a run has none.
    """

    def __init__(self, batch: Batch) -> None:
        start = batch.start
        runs = len(start)
        self.first_loss, self.first_norm, self.rate = start.new_full((3, runs), torch.nan)
        self.loss, self.norm = start.new_full((2, TAIL + 1, runs), torch.nan)
        self.best = start.clone()
        self.beyond = torch.full_like(start, torch.nan)
        self._rows = torch.empty(0, dtype=torch.int64, device=start.device)
        self._recent = start.new_empty((2, TAIL + 1, 0))

    def add(self, chunk: Chunk, is_better: Tensor) -> None:
        """Add a chunk with records.

        Args:
            chunk: the chunk.
            is_better: whether a record of the chunk is the best so far (n,).
        """
        with one_thread():  # waiting for a second thread takes longer than these copies
            if chunk.first == 0:
                self.first_loss[chunk.rows] = chunk.loss[0]
                self.first_norm[chunk.rows] = chunk.grad_norm[0]
            better = is_better.nonzero()[:, 0]
            if len(better):
                self.best[chunk.rows[better]] = chunk.best_points(better)
            ended = (chunk.status != Status.RUNNING).nonzero()[:, 0]
            recent = self._join(chunk, len(ended) > 0)
            if len(ended):
                self._add_ended(chunk, ended, recent[:, :, ended])
            self._rows, self._recent = chunk.rows, recent

    def _join(self, chunk: Chunk, any_ended: bool) -> Tensor:
        """The last records (2, W, n) of each row up to now, losses and gradient norms."""
        n, width, count = len(chunk.rows), TAIL + 1, len(chunk.loss) - 1
        if count >= width and not any_ended:  # the last record waits for the next chunk
            window = slice(count - width, count)
            return torch.stack((chunk.loss[window], chunk.grad_norm[window]))
        earlier = self._recent.new_full((2, width, n), torch.nan)
        if chunk.first > 0:
            earlier = self._recent[:, :, torch.searchsorted(self._rows, chunk.rows)]
        both = torch.cat((earlier, torch.stack((chunk.loss, chunk.grad_norm))), 1)
        index = chunk.count + torch.arange(width, device=chunk.count.device)[:, None]
        return both.gather(1, index.expand(2, width, n))

    def _add_ended(self, chunk: Chunk, ended: Tensor, recent: Tensor) -> None:
        """Add the ends of some rows (m,) of a chunk, whose last records are (2, W, m)."""
        rows = chunk.rows[ended]
        self.loss[:, rows], self.norm[:, rows] = recent
        self.rate[rows] = _last_rate(chunk, ended)
        count, has_diverged = chunk.count[ended], chunk.status[ended] == Status.DIVERGED
        has_next = has_diverged & (count < len(chunk.loss))
        columns = ended[has_next]
        self.beyond[chunk.rows[columns]] = chunk.x[count[has_next], columns]
        lost = rows[has_diverged & ~self.first_loss[rows].isfinite()]
        self.beyond[lost] = self.best[lost]  # still the start


def _last_rate(chunk: Chunk, ended: Tensor) -> Tensor:
    """The learning rates (m,) of the last steps of some rows, as far as they are known."""
    last = chunk.last[ended]
    at, before = chunk.lr[last, ended], chunk.lr[(last - 1).clamp(min=0), ended]
    return torch.where(at.isnan(), before, at)
