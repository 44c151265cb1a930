"""Train the tiny checkpoint's tokenizer: byte-pair encoding with 640 tokens, 26 of them Qwen3's
added tokens.

- numbers are cut into single digits, as in Qwen3's tokenizer, so that carrying is learnt digit by
  digit
- the shipped file was learnt from the problems of tiny's first edition and is kept: token ids stay
  as they are; a training from random weights learns another one, from the problems of today
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from Appendixes.command_line import write_json
from Appendixes.TinyQwen3.problems import sample_problem
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render

VOCAB_SIZE = 640
END_OF_TEXT, TURN_END = "<|endoftext|>", "<|im_end|>"
# The 26 added tokens of Qwen3's tokenizer, in its order: control tokens first, then tags that are
# ordinary text.
CONTROL_TOKENS = [END_OF_TEXT, "<|im_start|>", TURN_END] + [
    f"<|{name}|>"
    for name in [
        "object_ref_start",
        "object_ref_end",
        "box_start",
        "box_end",
        "quad_start",
        "quad_end",
        "vision_start",
        "vision_end",
        "vision_pad",
        "image_pad",
        "video_pad",
    ]
]
TAG_TOKENS = ["<tool_call>", "</tool_call>"] + [
    f"<|{name}|>"
    for name in ["fim_prefix", "fim_middle", "fim_suffix", "fim_pad", "repo_name", "file_sep"]
]
TAG_TOKENS += ["<tool_response>", "</tool_response>", "<think>", "</think>"]
# A word with the space before it; one digit; signs with the spaces around them (" + "); other white
# space.
PIECES = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+ ?|\s+")
# Qwen3's chat template for plain messages: no tools, no thoughts in earlier turns.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}"
    "{% endif %}{% endif %}"
)


def train_tokenizer(samples: int = 20_000, seed: int = 0) -> Tokenizer:
    """Learn the merges from generated problems in their prompts.

    Args:
        samples: number of problems.
        seed: the same seed gives the same tokenizer.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(CONTROL_TOKENS + TAG_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(islice(_texts(Random(seed)), samples), trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS]
    )
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in TAG_TOKENS])
    return tokenizer


def _texts(rng: Random) -> Iterator[str]:
    """Draw training problems for ever, each with its prompt and solution."""
    while True:
        problem = sample_problem(rng, "train")
        template = rng.choice((DIRECT, CHAIN_OF_THOUGHT))
        yield render(template, problem.problem) + problem.solution


def save_tokenizer(
    tokenizer: Tokenizer, folder: Path, context: int = 1024, chat: bool = False
) -> None:
    """Write a tokenizer as Hugging Face files: its tokens, and the settings that name the ends.

    Args:
        tokenizer: the tokenizer.
        folder: the folder, which is made if missing.
        context: the longest text that the model was trained on, in tokens.
        chat: add the template that turns a conversation into text, for `transformers` and servers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    if chat:
        settings |= {"eos_token": TURN_END, "chat_template": CHAT_TEMPLATE}
    stop_ids = [tokenizer.token_to_id(END_OF_TEXT), tokenizer.token_to_id(TURN_END)]
    generation: dict[str, object] = {"eos_token_id": stop_ids, "pad_token_id": stop_ids[0]}
    # a server samples as it is asked to: with False here `transformers serve` would never
    generation |= {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    for name, content in (
        ("tokenizer_config.json", settings),
        ("generation_config.json", generation),
    ):
        write_json(folder / name, content)
