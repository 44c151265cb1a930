r"""Words after numbers and instead of numbers: units, what was counted, dates, numbers in words.

The parser's half that reads words. `Reader` is its cursor: tokens, of which one comes next.
"""

from abc import ABC, abstractmethod
from fractions import Fraction

from CH3.math_verifier.lexer import RELATION_SIGNS, Token, UnreadableError, number_value
from CH3.math_verifier.notation import (
    ADVERBS,
    ARTICLES,
    BOUNDS,
    CURRENCIES,
    DENOMINATORS,
    MAGNITUDES,
    MONTHS,
    NO_LABELS,
    NOT_UNITS,
    OPENERS,
    ORDINAL_WORDS,
    PARTS_OF_UNITS,
    PHRASES,
    QUALIFIERS,
    REASONS,
    SHORT_NAMES,
    SMALL_NUMBERS,
    SPACED_UNIT_LETTERS,
    UNIT_LETTERS,
    UNITS,
    number_in_words,
)
from CH3.math_verifier.tree import BINDING, Node, Tree, has_letters

MAX_OPERATORS = 150  # of one text: each may make the tree one level deeper
SEPARATORS = frozenset([",", ";", "or", "and", "∧", "∨"])
CLOSERS = frozenset([*")]}⟩⌋⌉", r"\}", "finish", r"\\", "&", "⇒"])  # what ends a list
ORDINALS = frozenset(["st", "nd", "rd", "th"])
CLOCK = frozenset(["am", "pm"])
IS = frozenset(["is", "are", "equals", "equal"])
PRODUCT = BINDING["*"]
ANY_NUMBER = "any number"  # the variable of "at least 5"
END = Token("end", "end")
MONTH_NAMES = {name: name for name in MONTHS} | {
    short: name for short, name in SHORT_NAMES.items() if name in MONTHS
}


class Reader:
    """A list of tokens and the place up to which they were read."""

    def __init__(self, tokens: list[Token]):
        self.tokens = [*tokens, END]
        self.place = 0
        self.depth = 0
        self.operators = 0
        self.bars = 0  # that are open: the next one closes
        self.in_set = False  # in the braces of a set a colon comes before a condition

    @property
    def next(self) -> Token:
        """Return the first token that was not read yet."""
        return self.tokens[self.place]

    def after(self, distance: int) -> Token:
        """Look at a token further ahead; 0 is the next one."""
        return self.tokens[min(self.place + distance, len(self.tokens) - 1)]

    def take(self) -> Token:
        """Read one token."""
        token = self.next
        self.place += token is not END
        return token

    def sees(self, *signs: str) -> bool:
        """Return True if one of these signs comes next."""
        token = self.tokens[self.place]
        return token.kind == "sign" and token.text in signs

    def skip(self, *signs: str) -> bool:
        """Read one of these signs if it comes next."""
        found = self.sees(*signs)
        self.place += found
        return found

    def expect(self, *signs: str) -> str:
        """Read one of these signs, which must come next."""
        if not self.sees(*signs):
            raise UnreadableError(f"expected {' or '.join(signs)}, found {self.next.text!r}")
        return self.take().text

    def sees_word(self, *words: str) -> bool:
        """Return True if one of these words comes next."""
        return self.next.kind == "word" and self.next.text.lower() in words

    def count_operator(self, price: int = 1) -> None:
        """Keep the tree from growing so deep that walking it exhausts Python's stack."""
        self.operators += price
        if self.operators > MAX_OPERATORS:
            raise UnreadableError(f"more than {MAX_OPERATORS} operators")


class WordReader(Reader, ABC):
    """Reads words; what stands between them is read by the methods that `Parser` adds."""

    @abstractmethod
    def expression(self, weakest: int = 0) -> Tree:
        """Read operands and operators; see `Parser`."""

    @abstractmethod
    def list_of_items(self) -> Tree:
        """Read things between separators as one tree; see `Parser`."""

    @abstractmethod
    def items(self) -> tuple[list[Tree], set[str]]:
        """Read things between separators; see `Parser`."""

    @abstractmethod
    def relation(self) -> Tree:
        """Read an expression, or several with relations between them; see `Parser`."""

    @abstractmethod
    def operand(self) -> Tree:
        """Read one operand; see `Parser`."""

    @abstractmethod
    def argument(self) -> Tree:
        """Read what a command applies to; see `Parser`."""

    @abstractmethod
    def bracket(self, opening: str) -> Tree:
        """Read something in brackets; see `Parser`."""

    # --- what ends an answer ---

    def qualified(self, tree: Tree) -> Tree:
        """Read what limits an answer, to its end, and keep it if it holds a condition.

        `for x > 0` does; `for all x`, `where c is a constant` and what gives a reason do not.
        """
        start = self.place
        while self.next is not END and not self.closes():
            self.take()
        first, *rest = self.tokens[start : self.place]
        is_condition = any(one.kind == "number" or one.text in RELATION_SIGNS for one in rest)
        if first.text.lower() in REASONS or not is_condition:
            return tree
        return Node(f"counted {' '.join(one.text for one in rest)}", (tree,))

    def skip_domain(self) -> None:
        """Read `for all x,` before what is said of every x, if no condition limits x."""
        length = 1
        while self.after(length) is not END and self.after(length).text != ",":
            length += 1
        if not any(self.after(place).text in RELATION_SIGNS for place in range(length)):
            self.place += length
            self.skip(",")

    def _explains(self) -> bool:
        """Return True if a bracket with words comes next: `(since x > 0)`."""
        token = self.after(1)
        return self.sees("(") and token.kind == "word" and token.text.lower() in QUALIFIERS

    def skip_bracket(self) -> None:
        """Read a bracket to its end, whatever stands in it."""
        depth = 0
        while self.next is not END:
            depth += {"(": 1, ")": -1}.get(self.take().text, 0)
            if depth == 0:
                return

    def closes(self) -> bool:
        """Return True if what comes next ends a list."""
        return self.next.text in CLOSERS and self.next.kind == "sign"

    # --- words after a number ---

    def starts_tail(self, tree: Tree) -> bool:
        """Return True if the next token is a unit, or a word that says what was counted."""
        token = self.next
        if token.kind == "word":
            if token.text == "of":  # a third of the pizza, but 50% of 80
                return self.after(1).kind == "word"
            is_more = token.text in ("more", "less") and self.after(1).text != "than"
            return is_more or token.text.lower() not in NOT_UNITS or self._says_it_is_the_answer()
        if token.kind == "symbol":
            if token.text == "mu" and self.is_unit(self.after(1)):  # micrometres
                self.take()
            return self.is_unit(self.next) and not has_letters(tree)
        if token.kind == "function":
            minutes_or_seconds = token.text in ("min", "sec") and self._ends_at(1)
            return minutes_or_seconds or self._is_fraction_of_units()
        if self.sees("in"):
            return self._ends_at(1)
        if self.sees("/"):  # 5/hour
            return self.after(1).kind == "word" and self.after(1).text.lower() in UNITS
        if self.sees("(", "["):  # 48 (cm), 15 (fifteen)
            return self._bracketed_unit() or bool(self._bracketed_words())
        return False

    def _says_it_is_the_answer(self) -> bool:
        """Return True for the words of "7 is the answer"."""
        return self.next.text == "is" and self.after(1).text == "the"

    def _bracketed_words(self) -> list[str]:
        """Return the words in a bracket that comes next, if it holds nothing else."""
        words: list[str] = []
        if self.sees("("):
            while (
                self.after(len(words) + 1).kind == "word" or self.after(len(words) + 1).text == "-"
            ):
                words.append(self.after(len(words) + 1).text.lower())
        return words if self.after(len(words) + 1).text == ")" else []

    def _ends_at(self, distance: int) -> bool:
        """Return True if the text, a bracket or an item of a list ends here."""
        token = self.after(distance)
        ends = token is END or token.text in CLOSERS | SEPARATORS | set(".^*/")
        return ends and not (token.text == "." and self.after(distance + 1).kind == "number")

    def _is_fraction_of_units(self) -> bool:
        r"""Return True if `\frac{\text{m}}{\text{s}}` comes next."""
        return (
            self.next.text == "frac" and self.after(1).text == "{" and self.is_unit(self.after(2))
        )

    def is_unit(self, token: Token) -> bool:
        """Return True if a token is a unit after a number."""
        if token.kind == "word":
            word = token.text.lower()
            # a word of another script is not told from a unit: 8个
            return word in UNITS or token.text in UNIT_LETTERS or not word.isascii()
        letters = UNIT_LETTERS | SPACED_UNIT_LETTERS if token.after_space else UNIT_LETTERS
        upright = token.kind == "symbol" and token.from_latex and token.text in letters
        return upright or (token.kind, token.text) in (("function", "min"), ("function", "sec"))

    def tail(self, tree: Tree) -> Tree:
        """Read the words after a number: units go, magnitudes count, others are kept beside it."""
        words: list[str] = []
        while True:
            token = self.next
            word = token.text.lower()
            if (
                token.kind == "word"
                and not words
                and (word in QUALIFIERS or self._says_it_is_the_answer())
            ):
                return self.qualified(tree)
            if (said := self._bracketed_words()) and not self._bracketed_unit():
                self.place += len(said) + 2
                if number_in_words([one for one in said if one != "-"]) != tree:  # 15 (fifteen)
                    words += said
                self.count_operator()
                continue
            if token.kind == "word" and word in ("squared", "cubed") and not words:
                self.take()
                tree = Node("^", (tree, Fraction(2 if word == "squared" else 3)))
            elif token.kind == "word" and word in MAGNITUDES and not words:
                self.take()
                tree = Node("*", (tree, Fraction(MAGNITUDES[word])))
            elif token.kind == "word" and word in DENOMINATORS and not words:
                self.take()
                tree = Node("/", (tree, Fraction(DENOMINATORS[word])))
            elif word == "out" and self.after(1).text == "of":
                self.place += 2
                tree = Node("/", (tree, self.expression(PRODUCT + 1)))
            elif token.kind == "word" and word in MONTH_NAMES and isinstance(tree, Fraction):
                self.take()
                return Node("word", (f"{MONTH_NAMES[word]} {tree}",))
            elif (
                self.is_unit(token)
                or self._per_unit()
                or (self.sees("in") and self._ends_at(1))
                or self._bracketed_unit()
                or self._is_fraction_of_units()
            ):
                tree = self.quantity(tree)
            elif token.kind == "word":
                words.append(self.take().text.casefold())
                self.skip(".")
                if len(words) > 1 and self.next.kind in (
                    "symbol",
                    "number",
                ):  # 3 apples and x pears
                    words.append(self.take().text)
            else:
                break
            self.count_operator()
        words = ["th" if word in ORDINALS else word for word in words if word not in ARTICLES]
        return Node(f"counted {_singular(words)}", (tree,)) if words else tree

    def _per_unit(self) -> bool:
        """Read the stroke of `5/hour`, if a unit stands behind it."""
        return self.is_unit(self.after(1)) and self.skip("/")

    def _bracketed_unit(self) -> bool:
        return self.sees("(", "[") and self.is_unit(self.after(1))

    def quantity(self, tree: Tree) -> Tree:
        r"""Read units: `cm^2`, `miles per hour`, `m/s`, `\mathrm{m}\cdot\mathrm{s}^{-1}`, `(cm)`.

        A second number in a part of the first unit is added: 5 hours 30 minutes are 5.5.
        """
        # 1. the unit, and a number in a part of it
        first = self.unit().lower()
        parts = PARTS_OF_UNITS.get(first) or PARTS_OF_UNITS.get(first.removesuffix("s"))
        ahead = 1 if self.sees("and", ",") else 0
        if parts and self.after(ahead).kind == "number":
            unit = self.after(ahead + 1).text.lower()
            share = (
                parts.get(unit)
                or parts.get(unit.removesuffix("s"))
                or parts.get(unit.removesuffix("es"))
            )
            if share:
                self.place += ahead
                more = number_value(self.take().text) / share
                tree = Node("+", (tree, more))
                self.unit()
        # 2. nothing else may follow: 5 feet 6 apples, 4 cm x
        follows = self.next.kind in ("number", "function") or (
            self.next.kind == "symbol" and not self.next.from_latex
        )
        if follows and not self.starts_tail(tree):
            raise UnreadableError(f"{self.next.text!r} after a unit")
        return tree

    def unit(self) -> str:
        """Read one unit with its powers and factors; return its name."""
        if self._is_fraction_of_units():
            self.take()
            for _ in range(2):
                self.expect("{")
                name = self.unit()
                self.expect("}")
            return name
        bracket = self.take().text if self.sees("(", "[") else ""
        name = self.take().text
        while True:
            if self.skip("^"):
                self.argument()
            elif self.sees(".") and not self.next.after_space:
                self.take()
            elif self.sees("/", "*") and (
                self.is_unit(self.after(1)) or self.after(1).kind in ("word", "symbol")
            ):
                self.place += 2
            elif self.is_unit(self.next) or self.sees_word("squared", "cubed"):
                self.take()
            else:
                break
        if bracket:
            self.expect(")", "]")
            if self.skip("^"):
                self.argument()
        return name

    # --- words ---

    def phrase(self, first: Token) -> Tree:
        """Read words that stand alone: a name, a date, a number in words, or a label of a value."""
        if first.text.lower() in CURRENCIES:  # USD 29
            self.skip(".")
            return self.expression(PRODUCT)
        if first.text.lower() in ADVERBS and self.next.kind == "number":
            return self.expression()
        if first.text.lower() in OPENERS and self.next is not END:
            self.skip(",")
            return self.expression()
        if (sign := self._bound(first)) is not None:
            return Node("relation", (ANY_NUMBER, sign, self.expression()))
        if first.text.lower() == "negative":
            return Node("neg", (self.operand(),))
        if self.sees("(") and not self.next.after_space and first.text.isalpha():  # Var(X)
            arguments = self.bracket(self.take().text)
            if first.text.casefold() in ("matrix", "vector", "array"):
                return arguments
            return Node(f"call {first.text.casefold()}", (arguments,))
        words = [first.text]
        while True:
            token = self.next
            if token.kind in ("word", "number", "symbol") or self.sees("-", "'", ".", "!"):
                if (words[-1].lower() in IS or words[-1][-1] in "是为為") and token.kind != "word":
                    return self._labelled(words)
                if token.text == "except" or (
                    token.text == "but" and PHRASES.get(_said(words)) == "ℝ"
                ):
                    break
                words.append(self.take().text)
            elif (self.sees("and") and self._goes_on(words)) or (
                self.sees("in", "to", "or") and self.after(1).kind == "word" and len(words) > 1
            ):
                words.append(self.take().text)
            else:
                break
        if words[-1].lower() in IS and self.next is not END:
            return self._labelled(words)
        if self.sees(":"):
            return self._behind_label(words)
        return self.said(words)

    def _bound(self, first: Token) -> str | None:
        """Read the words before a number that it bounds; return the sign for them, or None."""
        words = [first.text.lower()]
        for ahead in range(3):
            if (sign := BOUNDS.get(" ".join(words))) is not None:
                self.place += ahead
                return sign
            words.append(self.after(ahead).text.lower())
        return None

    def _labelled(self, words: list[str]) -> Tree:
        """Read the value behind a label: "The answer is 7"."""
        self.skip(":", "=")
        return Node("relation", (Node("word", (_said(words[:-1]),)), "=", self.list_of_items()))

    def _behind_label(self, words: list[str]) -> Tree:
        """Read what follows a label and a colon: "Domain: x > 0", "ratio 3:4", "Answer: 5"."""
        if words[-1].isdecimal():
            words.pop()
            self.place -= 1
        else:
            self.take()
        value = self.relation()
        label = _said(words)
        return (
            value if label in NO_LABELS else Node("relation", (Node("word", (label,)), "=", value))
        )

    def _goes_on(self, words: list[str]) -> bool:
        """Return True if "and" goes on with a number in words: two hundred and five."""
        word = self.after(1).text.lower()
        more = word in SMALL_NUMBERS or word in ("a", "half")
        return more and (
            words[-1].lower() in MAGNITUDES or word == "a" or self.after(2).text in DENOMINATORS
        )

    def said(self, words: list[str]) -> Tree:
        """Return what words mean: a number, a set, or themselves."""
        text = _said(words)
        meaning = PHRASES.get(text) or text.removeprefix("all ")
        if meaning == "ℝ":
            tree: Tree = Node("ℝ", ())
            if self.sees_word("except", "but"):
                self.take()
                while self.next.kind == "word" and self.next is not END:  # except for
                    self.take()
                items, _ = self.items()
                points = tuple(
                    one.parts[-1] if isinstance(one, Node) and one.op == "relation" else one
                    for one in items
                )
                tree = Node("∖", (tree, Node("set", points)))
            return tree
        if meaning == "∅":
            return Node("set", ())
        parts = meaning.replace("-", " ").split()
        if not parts:  # a mere ending: "nd"
            return Node("word", (meaning,))
        if len(parts) == 1 and parts[0] in ORDINAL_WORDS:
            return Node("counted th", (Fraction(ORDINAL_WORDS[parts[0]]),))
        while len(parts) > 1 and parts[-1] in UNITS:  # five dollars
            parts = parts[:-1]
        number = number_in_words(parts)
        if number is not None:
            return number
        if parts[-1] in CLOCK and parts[0].isdecimal():  # noon
            return Node(f"counted {parts[-1]}", (Fraction(parts[0]),))
        for length in range(len(parts) - 1, 0, -1):  # five apples
            number = number_in_words(parts[:length])
            if number is not None and parts[0] != "a":
                return Node(f"counted {_singular(parts[length:])}", (number,))
        return Node("word", (meaning,))


def _said(words: list[str]) -> str:
    """Join words without case, articles and ordinal endings; days and months in full."""
    text = " ".join(words).casefold().replace(" - ", "-").replace(" ' ", "'").strip(" .!'")
    parts = [word.strip(".") for word in text.split()]
    parts = [SHORT_NAMES.get(word, word) for word in parts if word not in (*ORDINALS, "")]
    while len(parts) > 1 and parts[0] in ARTICLES:
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] == "only":
        parts = parts[:-1]
    if len(parts) == 3 and parts[1] == "of" and parts[2] in MONTHS:  # 7th of May
        parts = [parts[2], parts[0]]
    return " ".join(parts)


def _singular(words: list[str]) -> str:
    return " ".join(
        word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word
        for word in words
    )
