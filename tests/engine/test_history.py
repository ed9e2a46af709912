"""Histories: splitting chunks into runs, and joining the pieces."""

import numpy as np
import pytest
from helpers.batches import make_batch

from gdlab.engine.history import History, split_by_run
from gdlab.engine.loop import advance
from gdlab.losses import Rosenbrock
from gdlab.losses.function import Function


def make_history(first: int, last: int) -> History:
    step = np.arange(first, last)
    return History(
        step=step,
        loss=step * 1.5,
        grad_norm=step * 2.0,
        lr=step * 0.1,
        x=np.stack((step, -step), 1) * 1.0,
        suboptimality=step * 3.0,
    )


def test_joining_pieces_gives_the_whole() -> None:
    joined = History.join(
        [make_history(0, 4), make_history(4, 5), make_history(5, 5), make_history(5, 9)]
    )
    whole = make_history(0, 9)
    assert len(joined) == 9
    for name in ("step", "loss", "grad_norm", "lr", "x", "suboptimality"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name)), name
    assert joined.distance is None


@pytest.mark.parametrize("index", [np.array([0, 3]), np.arange(5) % 3 == 0], ids=["index", "mask"])
def test_records_are_selected_by_index_or_mask(index: np.ndarray) -> None:
    records = make_history(10, 15).take(index)
    assert records.step.tolist() == [10, 13]
    assert records.x.tolist() == [[10.0, -10.0], [13.0, -13.0]]
    assert records.suboptimality is not None
    assert records.suboptimality.tolist() == [30.0, 39.0]
    assert records.distance is None


def test_pieces_do_not_share_memory_with_the_chunk() -> None:
    chunk = next(advance(make_batch(Rosenbrock(), lr=[1e-3, 2e-3], steps=10)))
    (_, first), (_, second) = split_by_run(chunk)
    first.x[:] = np.nan
    first.loss[:] = np.nan
    assert np.isfinite(second.x).all()
    assert np.isfinite(chunk.x.numpy()).all()
    assert np.isfinite(chunk.loss.numpy()).all()


@pytest.mark.parametrize("every", [1, 2, 3, 7, 50, 1000])
def test_thinning_keeps_each_nth_record_and_the_last_once(every: int) -> None:
    steps: list[int] = []
    for chunk in advance(make_batch(Rosenbrock(), lr=[1e-3], steps=100)):
        steps += [int(k) for _, piece in split_by_run(chunk, every) for k in piece.step]
    assert steps == sorted({*range(0, 101, every), 100})


def test_distance_and_suboptimality_are_none_where_unknown() -> None:
    known = next(advance(make_batch(Rosenbrock(), lr=[1e-3], steps=20)))
    ((_, piece),) = split_by_run(known)
    assert piece.distance is not None
    expected = np.hypot(piece.x[:, 0] - 1, piece.x[:, 1] - 1)
    np.testing.assert_allclose(piece.distance, expected, rtol=1e-15)  # observed 2e-16
    assert piece.suboptimality is not None
    assert np.array_equal(piece.suboptimality, piece.loss)
    unknown = next(advance(make_batch(Function(lambda x: x.sum(), start=(0.0,)), lr=[1.0])))
    ((_, piece),) = split_by_run(unknown)
    assert (piece.distance, piece.suboptimality) == (None, None)
