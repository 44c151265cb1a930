"""The prompts around a problem: one place for all chapters, and for the training of the shipped
checkpoint.

Both templates ask for the answer in a box, where a program can find it. The chain-of-thought prompt
adds one sentence (Kojima et al., 2022, https://arxiv.org/abs/2205.11916), which gives the model
room to work before it commits itself. Worked examples before the problem show what such work looks
like (Wei et al., 2022, https://arxiv.org/abs/2201.11903)."""

from collections.abc import Sequence

from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer

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


# Problems and their worked solutions, for `examples=`; none of them is in a test set.
EXAMPLES = (
    (
        "A train covers 90 kilometres in the first hour and 75 in each of the next two. How far does it go in all?",
        "In the next two hours it covers 2 * 75 = 150 kilometres.\nIn all it goes 90 + 150 = 240.\n\\boxed{240}",
    ),
    (
        "What is \\frac{3}{4} - \\frac{1}{6}?",
        "The least common denominator of 4 and 6 is 12.\n3/4 = 9/12 and 1/6 = 2/12.\n9/12 - 2/12 = 7/12\n"
        "\\boxed{\\frac{7}{12}}",
    ),
    (
        "Solve 5(x - 2) = 3x + 8 for x.",
        "Expand: 5x - 10 = 3x + 8.\nSubtract 3x and add 10: 2x = 18.\nDivide by 2: x = 9.\n\\boxed{9}",
    ),
)


def few_shot(template: str, examples: Sequence[tuple[str, str]] = EXAMPLES) -> str:
    r"""A template with problems and their solutions before it, each in the template itself;
    `render` fills it.

    >>> print(render(few_shot("Q: {problem}\nA:\n", [("1 + 1?", r"\boxed{2}")]), "2 + 2?"))
    Q: 1 + 1?
    A:
    \boxed{2}
    <BLANKLINE>
    Q: 2 + 2?
    A:
    <BLANKLINE>
    """
    solved = "".join(
        f"{render(template, question)}{solution}\n\n" for question, solution in examples
    )
    return solved.replace("{", "{{").replace("}", "}}") + template


def encode_chat_prompt(
    tokenizer: Qwen3Tokenizer,
    template: str,
    problem: str,
    *,
    examples: Sequence[tuple[str, str]] = (),
    thinking: bool = True,
) -> list[int]:
    """Token ids of a problem in a template as a turn of a conversation, for models that were
    trained to converse.

    Args:
        tokenizer: the model's.
        template, problem: as in `render`.
        examples: problems and solutions, which become earlier turns.
        thinking: whether the model thinks before it answers (Qwen3's thinking mode; Yang et al.,
            2025, https://arxiv.org/abs/2505.09388). False opens the answer with an empty thought.
    """
    turns = []
    for question, solution in examples:
        turns += [
            {"role": "user", "content": render(template, question)},
            {"role": "assistant", "content": solution},
        ]
    turns.append({"role": "user", "content": render(template, problem)})
    return tokenizer.encode_chat(turns, enable_thinking=thinking)
