"""Measure how right, how fast and how safe the verifier is: `python -m CH3.benchmark_verifier`."""

from Appendixes.command_line import stop_in_words

stop_in_words()
