"""Threads wait quietly, unless a person said otherwise."""

from __future__ import annotations

import os

import pytest

from conf import threads


@pytest.mark.parametrize(("said", "then"), [(None, threads.COUNT), ("7", "7")])
def test_what_a_person_set_stays(monkeypatch: pytest.MonkeyPatch, said: str | None, then: str) -> None:
    monkeypatch.setenv(threads.VARIABLE, said or "")
    if said is None:
        monkeypatch.delenv(threads.VARIABLE)
    assert threads.spin() == {threads.VARIABLE: then}
    threads.spin_briefly()
    assert os.environ[threads.VARIABLE] == then
