"""The format that the page is fed: what goes in comes out, numbers as float32."""

import numpy as np
import pytest

from gdlab.viewer.format import MAGIC, decode, encode

HEAD = {
    "text": "näme\u2028 <b>",
    "none": None,
    "infinite": float("inf"),
    "numpy": np.float64(0.1),
    "inner": [{"a": np.array([[1.0, np.nan], [3.0, -np.inf]])}, {"empty": np.empty((0, 2))}],
    "whole": np.arange(3),
    "huge": np.array([1e300]),
}


def test_a_message_comes_back():
    message = encode(HEAD)
    assert message.startswith(MAGIC)
    assert (len(message) - 8) % 4 == 0
    head = decode(message)
    assert [head[key] for key in ("text", "none", "infinite", "numpy")] == [
        HEAD["text"],
        None,
        None,
        0.1,
    ]
    first, second = head["inner"]
    np.testing.assert_array_equal(first["a"], HEAD["inner"][0]["a"])
    assert second["empty"].shape == (0, 2)
    np.testing.assert_array_equal(head["whole"], [0, 1, 2])
    assert np.isinf(head["huge"]).all()


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="not a message"):
        decode(b"{}")
