"""Import Hypothesis where it is installed (`pip install -e ".[dev]"`), else skip property tests."""

import pytest

try:
    from hypothesis import HealthCheck, example, given, settings
    from hypothesis import strategies as st

    # No deadline: the first example pays for imports and caches. Derandomised: failures repeat.
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
        """Return a mark that skips the test."""
        return pytest.mark.skip(reason="property tests need hypothesis: pip install -e '.[dev]'")

    def settings(**options):
        """Return the test as it is."""
        return lambda test: test

    def example(*arguments, **named_arguments):
        """Return the test as it is, without this example."""
        return lambda test: test


__all__ = ["example", "given", "settings", "st"]
