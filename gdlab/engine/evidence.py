"""What a diagnosis needs of a run's records: its first record, its last ones and its best point.

Shapes: R runs, D dimensions, K records of a chunk, n rows of a chunk, W = `TAIL` + 1 records.
"""

import torch
from torch import Tensor

from gdlab.engine.batch import Batch
from gdlab.engine.chunk import Chunk
from gdlab.engine.status import Status
from gdlab.numerics.rowwise import as_slice
from gdlab.numerics.threads import one_thread

TAIL = 32
"""The steps before the end of a run that are looked at."""

_WIDTH = TAIL + 1


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
        self.loss, self.norm = start.new_full((2, _WIDTH, runs), torch.nan)
        self.best = start.clone()
        self.beyond = torch.full_like(start, torch.nan)
        self._rows = torch.empty(0, dtype=torch.int64, device=start.device)
        # The records (W, n) of these rows before the next chunk: losses, gradient norms.
        self._recent = start.new_empty((_WIDTH, 0)), start.new_empty((_WIDTH, 0))

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
                self.best[as_slice(chunk.rows[better])] = chunk.best_points(better)
            ended = (chunk.status != Status.RUNNING).nonzero()[:, 0]
            if len(ended):
                self._add_ended(chunk, ended)
            if len(ended) < len(chunk.rows):
                self._recent, self._rows = self._window(chunk), chunk.rows

    def _window(self, chunk: Chunk) -> tuple[Tensor, Tensor]:
        """The records (W, n) before the last one, which is the first of the next chunk."""
        count = len(chunk.loss) - 1
        part = slice(max(0, count - _WIDTH), count)
        loss, norm = chunk.loss[part], chunk.grad_norm[part]
        if count > 2 * _WIDTH:
            return loss.clone(), norm.clone()  # not to hold the memory of all records
        if count >= _WIDTH:
            return loss, norm
        earlier_loss, earlier_norm = self._earlier(chunk, chunk.rows)
        return torch.cat((earlier_loss[count:], loss)), torch.cat((earlier_norm[count:], norm))

    def _earlier(self, chunk: Chunk, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The last records (W, m) of some rows (m,) before a chunk; NaN where there are none."""
        if chunk.first == 0:
            nothing = self.loss.new_full((_WIDTH, len(rows)), torch.nan)
            return nothing, nothing
        columns = as_slice(torch.searchsorted(self._rows, rows))
        loss, norm = self._recent
        return loss[:, columns], norm[:, columns]

    def _last(self, chunk: Chunk, ended: Tensor) -> tuple[Tensor, Tensor]:
        """The last records (W, m) of some rows (m,) of a chunk."""
        columns, count = as_slice(ended), chunk.count[ended]
        least, most = int(count.min()), int(count.max())
        first = max(0, least - _WIDTH)
        loss, norm = chunk.loss[first:most, columns], chunk.grad_norm[first:most, columns]
        if least < _WIDTH:
            earlier_loss, earlier_norm = self._earlier(chunk, chunk.rows[ended])
            loss, norm = torch.cat((earlier_loss, loss)), torch.cat((earlier_norm, norm))
            first -= _WIDTH
        if least == most:
            return loss[-_WIDTH:], norm[-_WIDTH:]
        index = count - first + torch.arange(-_WIDTH, 0, device=count.device)[:, None]
        return loss.gather(0, index), norm.gather(0, index)

    def _add_ended(self, chunk: Chunk, ended: Tensor) -> None:
        """Add the ends of some rows (m,) of a chunk."""
        rows = chunk.rows[ended]
        places = as_slice(rows)
        self.loss[:, places], self.norm[:, places] = self._last(chunk, ended)
        self.rate[places] = _last_rate(chunk, ended)
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
