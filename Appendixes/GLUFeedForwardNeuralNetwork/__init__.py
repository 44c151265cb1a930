"""The gated feed-forward layer of Qwen3 and its relatives."""

from Appendixes.GLUFeedForwardNeuralNetwork.glu_feed_forward import ACTIVATIONS, GLUFeedForward

__all__ = ["ACTIVATIONS", "GLUFeedForward"]
