"""The prompts around a problem: one place for all chapters, and for the training of the shipped checkpoint.

Both ask for the answer in a box, where a program can find it. The chain-of-thought prompt adds one sentence (Kojima et
al., 2022, https://arxiv.org/abs/2205.11916), which gives the model room to work before it commits itself.
"""

DIRECT = "Answer the question and put the final result in \\boxed{{}}.\n\nQuestion: {problem}\n\nAnswer:\n"

CHAIN_OF_THOUGHT = (
    "Answer the question and put the final result in \\boxed{{}}.\n\nQuestion: {problem}\n\n"
    "Explain step by step.\n\nAnswer:\n"
)


def render(template: str, problem: str) -> str:
    r"""Put a problem into a template; braces in the problem are left alone.

    >>> print(render(DIRECT, r"What is \frac{1}{2} + \frac{1}{3}?"))
    Answer the question and put the final result in \boxed{}.
    <BLANKLINE>
    Question: What is \frac{1}{2} + \frac{1}{3}?
    <BLANKLINE>
    Answer:
    <BLANKLINE>
    """
    return template.format(problem=problem)
