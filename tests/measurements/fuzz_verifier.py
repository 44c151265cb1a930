"""Look for texts on which the verifier raises, is slow, or contradicts itself.

    python tests/measurements/fuzz_verifier.py --strings 100000 --seed 0

Three kinds of text, in turn: LaTeX made by a grammar, the texts of the graded pairs with tokens
deleted, doubled, swapped and exchanged, and random characters. Each is graded against itself and
against another (of its own kind, of the table, or a mutation of itself), both ways, and put into a
box from which it must come back. The same seed gives the same strings. Prints what was found, after
an interrupt (SIGINT) too; the exit code is 1 if anything was."""

import argparse
import contextlib
import json
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from CH3 import math_verifier

FOLDER = Path(math_verifier.__file__).parents[1]
SLOW = 0.1  # seconds of CPU time for one call, of two that are slow the faster
LEVELS = 5  # of the grammar
RAISED = object()  # what a call gives that raised

MARKUP = re.compile(r"[{}\\<]")  # may end a box early, or be a command or a tag of its own
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]+|\d+|\s+|.", re.DOTALL)


def choices(columns: str) -> list[str]:
    """Split texts that were written with more than one space between them."""
    return re.split(r"\s{2,}", columns.strip())


ATOMS = choices(r"""
    0   1   2   3   7   12   0.5   .25   1,000   1e3   3.14   0.\overline{3}   x   y   n   a
    xy   x_1   \pi   e   i   \alpha   \infty   -\infty   π   ½   √2   x²   50\%   \$5
    90^\circ   5\text{ cm}   52_8   \text{even}   (B)   \emptyset   \mathbb{R}   \mathrm{e}
    \text{m}   3\text{ pm}   7 apples   3/4   0.(36)   0.\dot{3}   1{,}500   2F_{16}   May 7
    seven   two thirds   \vec{i}   \vec{j}   \mathbb{Z}   \ldots   \angle ABC   \int_0^1 x\,dx
    2^{2024}   2024!   5!!   8个   （3，8）   𝑥²   ∛5   ⅐   3:45   \$5   USD 29   (E) 12   f(x)
    f^{-1}(x)   f'(x)   at least 5   5 or more   C_5^2   \overline{3+4i}   12 students   III   k\pi
    x^2   Area: 12   E[X]   P(A|B)   ABC_{16}   \operatorname{Im}   &lt;   \left<1,2\right>
""")

SHAPES = choices(r"""
    @+@   @-@   @*@   @ \cdot @   @/@   -@   @@   (@)   \left(@\right)   {@}   @^2   @^{@}
    @^{-1}   @_@   @!   |@|   @ @   @=@   \frac{@}{@}   \dfrac@@   \frac1{@}   @\frac{1}{2}
    \sqrt{@}   \sqrt[3]{@}   \sqrt[@]{@}   \sqrt@   \binom{@}{@}   @\%   \log_{@}@   \ln(@)
    \log @   \sin(@)   \cos^2 @   \tan @   \arctan @   \sin^{-1}(@)   e^{@}   \left|@\right|
    @\pm @   \pm @   (@, @)   [@, @]   (@, @]   [@, @)   \{@, @\}   @, @   @, @, @   @ \cup @
    @ \cap @   @ \setminus @   x \in @   x = @   @ < x   x \ge @   @ \le x < @   @ = @
    \begin{pmatrix} @ & @ \\ @ & @ \end{pmatrix}   \begin{pmatrix} @ \\ @ \end{pmatrix}
    \begin{vmatrix} @ & @ \\ @ & @ \end{vmatrix}   @^T   f(@)   P(@)   @ \approx @
    \begin{cases} @ \\ @ \end{cases}   \begin{aligned} x &= @ \\ y &= @ \end{aligned}
    \{x \mid @\}   \{x : @\}   @ \equiv @ \pmod{@}   @, k \in \mathbb{Z}   @ \mapsto @
    @ \Rightarrow @   @:@   @ to @   @ (@)   ]@, @[   @!!   {@ \over @}   \root @ \of {@}
    @\text{ @}   \mathrm{@}   @ for all x   @ and @   the answer is @   **@**   "@"
    \operatorname{arccot} @   \sinh^{-1} @   @ out of @   @ \text{ apples}   \sin(@^\circ)
    @' = @   @ \bmod @   \text{@}   \mbox{@}   @\text{ or }@   @\text{ and }@   \boxed{@}   $@$
    \overline{@}   \langle @, @ \rangle   @'   \lfloor @ \rfloor   @^2 < @   (x-@)(x-@) > 0
    \frac{x-@}{x+@} \ge 0   @ + k\pi, k \in \mathbb{Z}   \{x \in \mathbb{Z} : @ < x < @\}
    @ \land @   x = @, y = @ \text{ or } x = @, y = @   (a) @, (b) @   \text{Area: } @   \max @
    \operatorname{Re}(@)   \left<@, @\right>   @ (or @)   \forall x, @   @ \equiv @, @ \pmod{@}
    a = b = @   x < @ ∪ x > @   no more than @   @ (x > 0)   {\rm @}
    \begin{pmatrix} @ \end{pmatrix}^{-1}
""")

CHARACTERS = "0123456789xyzeiπ+-*/^_=<>!|()[]{},.;:%$&#@~ \\\n\t\x00\u0301\u202e\ud800²½√∞−×≤∪٣５"
CHARACTERS += '∧∨∀：选＜≈≡⇒↦∠°′″•⌊⌋⟨⟩∛⅐ˣₙ（），。、个或\u200b\u0305`"“”₹¢ℤℝ…'


def grammatical(rng: random.Random, levels: int = LEVELS) -> str:
    """Make a text by the grammar: an atom, or a shape with such texts at its places (@)."""
    if levels == 0 or rng.random() < 0.15:
        return rng.choice(ATOMS)
    first, *rest = rng.choice(SHAPES).split("@")
    return first + "".join(grammatical(rng, rng.randrange(levels)) + piece for piece in rest)


def mutated(rng: random.Random, texts: list[str]) -> str:
    """Change one of the texts: delete, double, swap or repeat tokens, or take another text's."""
    tokens, others = (TOKEN.findall(rng.choice(texts)) or [""] for _ in range(2))
    for _ in range(rng.randint(1, 4)):
        if not tokens:
            break
        here, there = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        match rng.choice(["delete", "double", "swap", "exchange", "repeat"]):
            case "delete":
                del tokens[here]
            case "double":
                tokens.insert(there, tokens[here])
            case "swap":
                tokens[here], tokens[there] = tokens[there], tokens[here]
            case "exchange":
                tokens[here] = rng.choice(others)
            case "repeat":
                tokens[here] *= rng.choice([2, 5, 50])
    return "".join(tokens)


def scrambled(rng: random.Random) -> str:
    """Draw characters: any at all, or those that mathematics is written with."""
    length = rng.randrange(40)
    if rng.random() < 0.3:
        return "".join(chr(rng.randrange(0x110000)) for _ in range(length))
    return "".join(rng.choices(CHARACTERS, k=length))


def table_texts() -> list[str]:
    """Return the texts of the graded pairs and of the hard ones."""
    tables = [
        json.loads((FOLDER / name).read_text(encoding="utf-8"))
        for name in ("graded_pairs.json", "hard_answers.json")
    ]
    pairs = tables[0] + tables[1]["pairs"]
    return [pair[side] for pair in pairs for side in ("predicted", "reference")]


def strings(count: int, seed: int) -> Iterator[str]:
    """Yield `count` texts of all three kinds, the same for the same seed."""
    rng, texts = random.Random(seed), table_texts()
    kinds = [
        grammatical,
        lambda rng: mutated(rng, texts),
        lambda rng: mutated(rng, texts),
        scrambled,
    ]
    for number in range(count):
        yield kinds[number % len(kinds)](rng)


def timed(function: Callable, *texts: str) -> tuple[object, float]:
    """Call a function; return its result and the CPU seconds it took."""
    start = time.process_time()
    result = function(*texts)
    return result, time.process_time() - start


@dataclass
class Finding:
    """A raised exception, a slow call, or a property that does not hold."""

    kind: str  # exception, slow or violation
    what: str  # the exception and its place, the slow function, the property that does not hold
    texts: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return the number of characters of its texts: short ones are easier to understand."""
        return sum(map(len, self.texts))


class Fuzzer:
    """A run of the verifier on many texts: every call is measured, and what was found is kept.

    Attributes:
        findings: all findings.
        done: how many strings were checked.
        slowest: CPU seconds, name and texts of the slowest call.
        verdicts: how often a function said yes and no: a fuzz that never sees a yes tests little.
    """

    def __init__(self, verifier=math_verifier):
        self.verifier = verifier
        self.findings: list[Finding] = []
        self.done = 0
        self.slowest: tuple[float, str, tuple[str, ...]] = (0.0, "", ())
        self.verdicts: Counter = Counter()

    def call(self, name: str, *texts: str):
        """Call a function of the verifier by its name; `RAISED` if it did."""
        function: Callable = getattr(self.verifier, name)
        try:
            result, seconds = timed(function, *texts)
            if seconds > SLOW:  # or was the machine busy? Once more
                seconds = min(seconds, timed(function, *texts)[1])
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(frame.filename).name}, {frame.name}, line {frame.lineno}"
            what = f"{type(error).__name__} in {place}"
            self.findings.append(Finding("exception", what, texts))
            return RAISED
        self.slowest = max(self.slowest, (seconds, name, texts))
        if seconds > SLOW:
            self.findings.append(Finding("slow", name, texts))
        if isinstance(result, bool):
            self.verdicts[f"{name} {'yes' if result else 'no'}"] += 1
        return result

    def expect(self, holds: bool, violated: str, *texts: str) -> None:
        """Keep a violation if the property does not hold."""
        if not holds:
            self.findings.append(Finding("violation", violated, texts))

    def check_alone(self, text: str) -> None:
        """Check the properties of one text."""
        self.expect(
            self.call("grade_answer", text, text) in (True, RAISED),
            "a text is not its own answer",
            text,
        )
        self.expect(
            self.call("same_answer", text, text) in (True, RAISED),
            "a text does not vote with itself",
            text,
        )
        self.call("extract_answer", text)
        self.call("extract_answer", rf"\boxed{{{text}")
        boxed = self.call("extract_answer", rf"so \boxed{{{text}}}.")
        # dots alone in a box, or "answer", show where an answer would stand
        shows_a_place = not text.strip().strip(".…") or "answer" in text.lower()
        if not shows_a_place and not MARKUP.search(text) and boxed is not RAISED:
            same = boxed is not None and self.call("grade_answer", boxed, text) in (True, RAISED)
            self.expect(same, "a boxed text is not the text", text)

    def check_together(self, one: str, other: str) -> None:
        """Check the properties of two texts."""
        graded, back = self.call("grade_answer", one, other), self.call("grade_answer", other, one)
        same, same_back = self.call("same_answer", one, other), self.call("same_answer", other, one)
        keys = [self.call("answer_key", text) for text in (one, other)]
        explained = self.call("explain_grade", one, other)
        if any(result is RAISED for result in (graded, back, same, same_back, *keys, explained)):
            return
        self.expect(same == same_back, "same_answer is not symmetric", one, other)
        self.expect(
            not same or (graded and back), "same_answer does not imply grade_answer", one, other
        )
        self.expect((keys[0] == keys[1]) == same, "same_answer and answer_key disagree", one, other)
        self.expect(
            explained.correct == graded, "explain_grade and grade_answer disagree", one, other
        )

    def run(self, count: int, seed: int, skip: int = 0) -> None:
        """Check so many strings, each alone and with another: of its own kind, of the table, or
        made of it. The first ones, which an earlier run has checked, are skipped.
        """
        rng, table = random.Random(seed), table_texts()
        latest = [""] * 4
        for number, text in enumerate(strings(count, seed)):
            other = rng.choice([latest[number % 4], rng.choice(table), mutated(rng, [text])])
            latest[number % 4] = text
            if number < skip:
                continue
            self.check_alone(text)
            self.check_together(text, other)
            self.done = number + 1

    def report(self) -> str:
        """List each kind of finding once, with how often it was met and its shortest example."""
        alike = defaultdict(list)
        for finding in self.findings:
            alike[finding.kind, finding.what].append(finding)
        lines = []
        for (kind, what), findings in sorted(alike.items()):
            shortest = min(findings, key=lambda finding: finding.size)
            lines.append(f"{kind}: {what}, {len(findings)} times, as for {shown(shortest.texts)}")
        seconds, name, texts = self.slowest
        lines.append(
            "verdicts: "
            + ", ".join(f"{what} {number}" for what, number in sorted(self.verdicts.items()))
        )
        lines.append(f"slowest: {seconds:.3f} s, {name} of {shown(texts)}")
        return "\n".join([*lines, f"found: {len(alike) or 'nothing'}"])


def shown(texts: tuple[str, ...]) -> str:
    """Show texts on one line, all in ASCII, shortened."""
    return ", ".join(
        ascii(text) if len(text) < 300 else f"{text[:300]!a}... ({len(text)})" for text in texts
    )


def main() -> int:
    """Fuzz, print the report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--strings", type=int, default=100_000, help="how many texts (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="other texts for another seed (default: %(default)s)"
    )
    parser.add_argument(
        "--skip", type=int, default=0, help="go on behind so many (default: %(default)s)"
    )
    arguments = parser.parse_args()
    fuzzer, start = Fuzzer(), time.process_time()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background too
    with contextlib.suppress(KeyboardInterrupt):
        fuzzer.run(arguments.strings, arguments.seed, arguments.skip)
    seconds = time.process_time() - start
    checked = f"strings {arguments.skip} to {fuzzer.done} of seed {arguments.seed}"
    print(f"{checked}, {seconds:.0f} s of CPU time")
    print(fuzzer.report())
    return 1 if fuzzer.findings else 0


if __name__ == "__main__":
    sys.exit(main())
