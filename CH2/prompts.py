"""Prompts to put around a problem, for all chapters and for the training of the shipped models.

- all ask for the answer in a box, where a program can find it
- the chain-of-thought prompt adds one sentence (Kojima et al., 2022,
  https://arxiv.org/abs/2205.11916), which gives the model room to work before it commits itself
- worked examples before the problem show what such work looks like (Wei et al., 2022,
  https://arxiv.org/abs/2201.11903)
"""

from collections.abc import Sequence
from pathlib import Path

from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer

DIRECT = (
    "Answer the question and put the final result in \\boxed{{}}.\n\n"
    "Question: {problem}\n\nAnswer:\n"
)

CHAIN_OF_THOUGHT = (
    "Answer the question and put the final result in \\boxed{{}}.\n\n"
    "Question: {problem}\n\nExplain step by step.\n\nAnswer:\n"
)

BARE = "{problem}"  # the problem alone, for models that were trained to answer so


def render(template: str, problem: str) -> str:
    r"""Put a problem into a prompt template; braces in the problem are left alone.

    >>> print(render(DIRECT, r"What is \frac{1}{2} + \frac{1}{3}?"))
    Answer the question and put the final result in \boxed{}.
    <BLANKLINE>
    Question: What is \frac{1}{2} + \frac{1}{3}?
    <BLANKLINE>
    Answer:
    <BLANKLINE>
    """
    return template.format(problem=problem)


def read_template(path: Path) -> str:
    """Read a prompt template from a text file, as it stands: a line break at its end belongs to it.

    Args:
        path: of a text in UTF-8 with `{problem}` where the problem goes; other braces are doubled.

    Raises:
        ValueError: the text is no such template.
        OSError: the file cannot be read.
    """
    try:
        template = path.read_text(encoding="utf-8-sig")
        if render(template, "{one}") == render(template, "{two}"):
            raise ValueError("{problem} does not stand in it")
    except (ValueError, LookupError) as error:
        raise ValueError(
            f"{path} is no prompt template ({error}): write {{problem}} where the problem goes, "
            "and double all other braces, as in \\boxed{{}}"
        ) from None
    return template


# Problems and their worked solutions, for `examples=`; none of them is in a test set.
EXAMPLES = (
    (
        "A train covers 90 kilometres in the first hour and 75 in each of the next two. "
        "How far does it go in all?",
        "In the next two hours it covers 2 * 75 = 150 kilometres.\n"
        "In all it goes 90 + 150 = 240.\n\\boxed{240}",
    ),
    (
        "What is \\frac{3}{4} - \\frac{1}{6}?",
        "The least common denominator of 4 and 6 is 12.\n3/4 = 9/12 and 1/6 = 2/12.\n"
        "9/12 - 2/12 = 7/12\n"
        "\\boxed{\\frac{7}{12}}",
    ),
    (
        "Solve 5(x - 2) = 3x + 8 for x.",
        "Expand: 5x - 10 = 3x + 8.\nSubtract 3x and add 10: 2x = 18.\n"
        "Divide by 2: x = 9.\n\\boxed{9}",
    ),
)


def few_shot(template: str, examples: Sequence[tuple[str, str]] = EXAMPLES) -> str:
    r"""Put worked examples before a prompt template; `render` fills what comes back.

    Args:
        template: of the prompt; each example is put into it, too.
        examples: problems and their worked solutions.

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
    """Encode a problem's prompt as a turn of a conversation, for models trained to converse.

    Args:
        tokenizer: the model's.
        template, problem: as in `render`.
        examples: problems and solutions, which become earlier turns.
        thinking: let the model think before it answers (Qwen3's thinking mode; Yang et al., 2025,
            https://arxiv.org/abs/2505.09388). False opens the answer with an empty thought.

    Returns:
        Token ids.
    """
    turns = []
    for question, solution in examples:
        turns += [
            {"role": "user", "content": render(template, question)},
            {"role": "assistant", "content": solution},
        ]
    turns.append({"role": "user", "content": render(template, problem)})
    return tokenizer.encode_chat(turns, enable_thinking=thinking)
