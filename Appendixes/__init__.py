"""The parts of Qwen3, one folder each, and the workshop of the shipped models, in reading order:

- `RMSNorm/`: normalisation by the root mean square
- `RoPE/`: positions as rotations
- `GLUFeedForwardNeuralNetwork/`: gated feed-forward layers
- `GroupedQueryAttention/`: many query heads on few key-value heads
- `KVcache/`: keys and values of past tokens, computed once
- `QWEN3TransformerBlock/`: attention and feed-forward, one layer
- `QWEN3Model/`: the layers from token ids to logits, and checkpoints
- `QWEN3Tokenizer/`: text to ids and back
- `TinyQwen3/`: the problems, the tokenizer and the training of the shipped models

Every folder has a demonstration, such as `python Appendixes/RMSNorm/main.py`. Beside them:

- `drawings/`: charts and diagrams of the notebooks, each with its description
- `command_line.py`: command lines, tables and files, of the standard library only
- `demonstration.py`: checks and pictures of the demonstrations
- `figure_style.py`: colours and sizes of all pictures
- `torch_kernels.py`: PyTorch's private kernels, each with a fallback
"""
