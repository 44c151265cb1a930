r"""Watch a model solve one problem: step by step, by a vote of samples, or with a thought.

    python -m CH4.solve "What is 47 * 36?"                 step by step, as it is written
    python -m CH4.solve "What is 47 * 36?" --direct        at once
    python -m CH4.solve "What is 47 * 36?" --samples 20    twenty solutions, and their vote
    python -m CH4.solve --model tiny-thinking "Write 54 with 25, 7 and 3, each number once, and + - * /."
    python -m CH4.solve --model Qwen/Qwen3-0.6B "What is 47 * 36?" --budget 500

Models that converse (`tiny-thinking`, `Qwen/Qwen3-0.6B`) think before they answer; `--budget` limits the
thought, in tokens. The other models (`tiny`, `Qwen/Qwen3-0.6B-Base`) continue a prompt.
"""
