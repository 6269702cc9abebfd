"""Tests of how a limit is divided into a leased part and the standing parts of the processes."""

from __future__ import annotations

import pytest

from resilience._core.stages.lease_terms import STANDING_SHARE, lease_terms


@pytest.mark.parametrize(
    ("limit", "span", "processes", "standing", "reserve", "leased", "is_open", "batch"),
    [
        (1, 1.0, 8, 0, 0, 1, False, 1),
        (10, 1.0, 8, 1, 0, 2, True, 1),
        (100, 1.0, 8, 1, 0, 92, False, 6),
        (6000, 60.0, 8, 60, 15, 5520, False, 6),
        (8, 1.0, 8, 1, 0, 0, True, 1),
        (100, 1.0, 1, 8, 2, 92, False, 6),
    ],
)
def test_the_parts_of_a_limit(
    limit: int, span: float, processes: int, standing: int, reserve: int, leased: int, is_open: bool, batch: int
) -> None:
    """The rows of the table in the docs, and the smallest limit that has a standing part."""
    terms = lease_terms(limit, span, processes, 0.1, 0.05)
    assert (terms.standing, terms.reserve, terms.leased, terms.is_open) == (standing, reserve, leased, is_open)
    assert (terms.max_batch, terms.patience) == (batch, 0.05)


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 9, 50, 99, 100, 101, 999, 6000])
@pytest.mark.parametrize("processes", [1, 2, 3, 8, 20])
def test_the_parts_never_exceed_the_limit(limit: int, processes: int) -> None:
    """All standing parts and what is leased are the limit together, and 8 % are enough for large ones."""
    terms = lease_terms(limit, 1.0, processes, 0.1, 0.05)
    assert terms.leased + terms.standing * processes == limit
    assert terms.reserve < terms.standing or terms.reserve == 0
    assert terms.is_open == (terms.standing * processes > STANDING_SHARE * limit)
