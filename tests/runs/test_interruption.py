"""Signals of a command as a flag."""

import signal
import threading

import pytest

from gdlab.runs.interruption import SIGNALS, WAITING, interruptible


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_flag_and_handlers_return(number: int) -> None:
    outer = signal.signal(number, signal.default_int_handler)  # nohup ignores SIGHUP
    before, said = signal.getsignal(number), []
    with interruptible(said.append) as interruption:
        assert not interruption()
        signal.raise_signal(number)
        signal.raise_signal(number)  # at once: one request, as `timeout` makes it
        assert interruption() and interruption.signal == number
    assert signal.signal(number, outer) is before
    assert said == []


def test_a_step_that_goes_on_after_a_signal_is_explained() -> None:
    said, is_said = [], threading.Event()

    def say(message: str) -> None:
        said.append(message)
        is_said.set()

    with interruptible(say, patience=0.0):
        assert said == []
        signal.raise_signal(signal.SIGINT)
        assert is_said.wait(60)
    assert said == [WAITING]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal on Windows")
def test_a_terminal_that_closes_is_no_signal_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(lambda message: None) as interruption:
            signal.raise_signal(signal.SIGHUP)
            assert not interruption()
    finally:
        signal.signal(signal.SIGHUP, before)
