"""Hypothesis, where it is installed (`pip install -e ".[dev]"`); elsewhere property tests are
skipped and say so.
"""

import pytest

try:
    from hypothesis import HealthCheck, example, given, settings
    from hypothesis import strategies as st

    # The first example pays for imports and caches, so a deadline would fail at random;
    # derandomised, a failure comes back.
    settings.register_profile(
        "repository",
        deadline=None,
        derandomize=True,
        max_examples=50,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    settings.load_profile("repository")
except ImportError:
    from unittest.mock import MagicMock

    st = MagicMock()  # strategies are only ever handed to `given`

    def given(*strategies, **named_strategies):
        """Skip instead of drawing examples."""
        return pytest.mark.skip(reason="property tests need hypothesis: pip install -e '.[dev]'")

    def settings(**options):
        """Nothing to set."""
        return lambda test: test

    def example(*arguments, **named_arguments):
        """Nothing to try."""
        return lambda test: test


__all__ = ["example", "given", "settings", "st"]
