"""Measure how right, how fast and how safe the verifier is: `python -m CH3.benchmark_verifier`."""
