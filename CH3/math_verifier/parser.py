r"""From tokens to a tree, by Pratt's method (Top Down Operator Precedence, POPL 1973).

Every operator has a strength with which it binds what stands beside it; `expression(weakest)` reads
on while operators bind at least that strongly. A tree is a `Fraction`, a symbol's name (`str`), or
a `Node`: an operation and its parts.

- what notation leaves out is put in: the product in `2x`, the sum in `1\frac{4}{5}`, the braces in
  `\frac12`
- units after a number are read and dropped
- brackets may be nested only so deep, so no text can exhaust Python's stack
"""

import re
from fractions import Fraction
from typing import NamedTuple

from CH3.math_verifier.lexer import Token, UnreadableError, number_value, tokenize
from CH3.math_verifier.notation import NOT_UNITS

MAX_DEPTH = 40  # of brackets
MAX_OPERATORS = 150  # of one text: each may make the tree one level deeper

BINDING = {"∪": 1, "∖": 1, "∩": 2, ":": 3, "+": 4, "-": 4, "±": 4, "∓": 4, "*": 5, "/": 5, "^": 7}
PRODUCT = BINDING["*"]
RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "in"])
SEPARATORS = frozenset([",", ";", "or", "and"])
CLOSING = {"(": ")]", "[": "])", "{": "}", r"\{": (r"\}",), "⟨": "⟩", "⌊": "⌋", "⌈": "⌉"}
CALL = re.compile(r"(\^\{-1\}|\^-1)?\([^()]*\)")  # f(x), f^{-1}(x)
# What stands around the parts of an operation.
WRITTEN_IN: dict[str, tuple[str, str]] = {"list": ("", ""), "set": ("{", "}"), "abs": ("|", "|")}
WRITTEN_IN |= {pair: (pair[0], pair[1]) for pair in ("()", "(]", "[)", "[]")}
MAGNITUDES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}


class Node(NamedTuple):
    """An operation and its parts: numbers, symbols, further nodes."""

    op: str
    parts: tuple


Tree = Fraction | str | Node
END = Token("end", "end")


def parse(text: str) -> Tree:
    r"""Read a text.

    Raises:
        UnreadableError: it is not mathematics, or nested too deeply.

    >>> parse("2x + 1")
    Node(op='+', parts=(Node(op='*', parts=(Fraction(2, 1), 'x')), Fraction(1, 1)))
    >>> parse(r"1\frac45")
    Fraction(9, 5)
    """
    return Parser(tokenize(text)).answer()


class Parser:
    """Reads a list of tokens from left to right; every method reads one kind of thing and leaves
    the rest.
    """

    def __init__(self, tokens: list[Token]):
        self.tokens = [*tokens, END]
        self.place = 0
        self.depth = 0
        self.operators = 0
        self.bars = 0  # that are open: the next one closes

    @property
    def next(self) -> Token:
        """The token that was not read yet."""
        return self.tokens[self.place]

    def take(self) -> Token:
        """Read one token."""
        token = self.next
        self.place += token is not END
        return token

    def sees(self, *signs: str) -> bool:
        """Whether one of these signs comes next."""
        return self.next.kind == "sign" and self.next.text in signs

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

    def answer(self) -> Tree:
        """A whole text: one thing, or a list of them."""
        items, separators = self.items()
        if self.next is not END or not items:
            raise UnreadableError(f"{self.next.text!r} is out of place")
        if len(items) == 1:
            return items[0]
        return Node(
            next((word for word in ("or", "and") if word in separators), "list"), tuple(items)
        )

    def items(self) -> tuple[list[Tree], set[str]]:
        """Things between separators, and the separators that were used."""
        items, separators = [], set()
        while self.next is not END and not self.sees(*")]}⟩⌋⌉", r"\}"):
            items.append(self.relation())
            if not self.sees(*SEPARATORS):
                break
            while self.sees(*SEPARATORS):  # ", and" is one
                separators.add(self.take().text)
        return items, separators

    def relation(self) -> Tree:
        """An expression, or several with relations between them: `0 <= x < 1`."""
        start = self.place
        parts = [self.expression()]
        if self.sees("=") and self._is_call(start):  # f(x) = ... defines
            parts = [Node("call", (self.tokens[start].text,))]
        while self.sees(*RELATIONS):
            if self.sees("in") and self.tokens[self.place + 1] is END:  # inches
                self.take()
                break
            parts += [self.take().text, self.expression()]
        return parts[0] if len(parts) == 1 else Node("relation", tuple(parts))

    def _is_call(self, start: int) -> bool:
        signs = "".join(token.text for token in self.tokens[start + 1 : self.place])
        return self.tokens[start].kind == "symbol" and CALL.fullmatch(signs) is not None

    def expression(self, weakest: int = 0) -> Tree:
        """Operands and the operators between them that bind at least so strongly."""
        tree = self.signed(weakest)
        while True:
            if self.sees("!", "%", "°"):
                tree = Node(self.take().text, (tree,))
            elif self.next.kind == "word" and self.next.text in MAGNITUDES:
                tree = Node("*", (tree, Fraction(MAGNITUDES[self.take().text])))
            elif (
                self.next.kind == "word"
                and not {self.next.text, self.next.text.lower()} & NOT_UNITS
            ):
                self.units()
            elif self.next.kind == "sign" and self.next.text in BINDING:
                operator = self.next.text
                if BINDING[operator] < weakest:
                    break
                self.take()
                right = (
                    self.exponent() if operator == "^" else self.expression(BINDING[operator] + 1)
                )
                tree = Node(operator, (tree, right))
            elif weakest <= PRODUCT and self.starts_operand():
                tree = Node("*", (tree, self.expression(PRODUCT + 1)))
            else:
                break
            self.count_operator()
        return tree

    def count_operator(self) -> None:
        """Keep the tree from growing so deep that walking it exhausts Python's stack."""
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            raise UnreadableError(f"more than {MAX_OPERATORS} operators")

    def exponent(self) -> Tree:
        r"""What follows `^`; powers group from the right: `2^3^2` is `2^(3^2)`. In `x^2\frac12` it
        is the 2 alone.
        """
        self.count_operator()
        if self.next.kind != "number":
            return self.expression(BINDING["^"])
        tree = number_value(self.take().text)
        return Node("^", (tree, self.exponent())) if self.skip("^") else tree

    def signed(self, weakest: int) -> Tree:
        """An operand with its sign: `-x^2` is `-(x^2)`, `-2x` is `-(2x)`."""
        if self.sees("-", "+", "±", "∓"):
            self.count_operator()
            sign, tree = self.take().text, self.expression(max(weakest, PRODUCT))
            return (
                tree
                if sign == "+"
                else Node("neg", (tree,))
                if sign == "-"
                else Node(sign, (Fraction(0), tree))
            )
        return self.operand()

    def starts_operand(self) -> bool:
        """Whether the next token begins something that the one before is multiplied by."""
        if self.next.kind == "number":  # 3!4!, not 3 4
            return self.tokens[self.place - 1].kind != "number" or self.next.from_latex
        if self.next.kind in ("symbol", "function"):
            return True
        return self.sees("(", "{", "⌊", "⌈", "∞", "begin") or (self.sees("|") and not self.bars)

    def operand(self) -> Tree:
        """A number, a symbol, a function with its argument, or something in brackets."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError(f"more than {MAX_DEPTH} levels")
        tree = self.read_operand(self.take())
        self.depth -= 1
        return tree

    def read_operand(self, token: Token) -> Tree:
        """What begins with this token; see `operand`."""
        if token.kind == "number":
            return self.number(token)
        if token.kind == "symbol":
            return token.text + self.subscript()
        if token.kind == "function":
            return self.function(token)
        if token.kind == "word":
            return self.phrase(token)
        if token.text in CLOSING:
            return self.bracket(token.text)
        if token.text == "|":
            return self.absolute()
        if token.text == "begin":
            return self.matrix()
        if token.text in "∞ℝ":
            return Node(token.text, ())
        if token.text == "∅":
            return Node("set", ())
        raise UnreadableError(f"{token.text!r} is out of place")

    def number(self, token: Token) -> Tree:
        """A number; a whole one may be the first half of a mixed number, or have a base below it."""
        value = number_value(token.text)
        if self.skip("_"):
            return Node("base", (value, self.argument()))
        if "." in token.text or not token.text.isdecimal():
            return value
        start = self.place
        fraction = self.plain_fraction()
        if fraction is None:
            self.place = start
            return value
        return value + fraction

    def plain_fraction(self) -> Fraction | None:
        r"""`\frac{4}{5}` or ` 4/5` after a whole number, if that is what follows."""
        if self.next.kind == "function" and self.next.text == "frac":
            self.take()
            top, bottom = self.argument(), self.argument()
        elif self.next.kind == "number" and self.next.after_space:
            top = number_value(self.take().text)
            if not self.skip("/") or self.next.kind != "number":
                return None
            bottom = number_value(self.take().text)
        else:
            return None
        if not (isinstance(top, Fraction) and isinstance(bottom, Fraction)):
            return None
        return (
            top / bottom
            if top.denominator == bottom.denominator == 1 and 0 <= top < bottom
            else None
        )

    def argument(self) -> Tree:
        r"""What a command of LaTeX applies to: a group, or the next sign alone: `\frac12` is one
        half.
        """
        if self.next.kind != "number":
            return self.operand()
        digit, rest = self.next.text[0], self.next.text[1:]
        if rest and self.next.text.isdecimal():
            self.tokens[self.place] = Token("number", rest, from_latex=True)
            return number_value(digit)
        return number_value(self.take().text)

    def subscript(self) -> str:
        """An index, which is part of a symbol's name."""
        if not self.skip("_"):
            return ""
        if not self.skip("{"):
            return "_" + self.take().text
        name = ""
        while not self.sees("}") and self.next is not END:
            name += self.take().text
        self.expect("}")
        return "_" + name

    def function(self, token: Token) -> Tree:
        r"""A function: `\frac ab`, `\sqrt[n]{x}`, `\log_b x`, `\sin^2 x`, `\sin 2x`, `gcd(a, b)`."""
        name = token.text
        if name in ("frac", "binom"):
            return Node("/" if name == "frac" else "binom", (self.argument(), self.argument()))
        if name == "sqrt":
            index = self.index() if self.sees("[") else Fraction(2)
            return Node("root", (self.argument() if token.from_latex else self.operand(), index))
        base = (self.argument(),) if name == "log" and self.skip("_") else ()
        power = self.argument() if self.skip("^") else None
        if power in (Node("neg", (Fraction(1),)), Fraction(-1)) and name in INVERSE:
            name, power = INVERSE[name], None
        argument = self.function_argument()
        arguments = (
            argument.parts if isinstance(argument, Node) and argument.op == "()" else (argument,)
        )
        tree = Node(name, (*arguments, *base))
        return tree if power is None else Node("^", (tree, power))

    def index(self) -> Tree:
        """The `[3]` of a cube root."""
        self.expect("[")
        tree = self.expression()
        self.expect("]")
        return tree

    def function_argument(self) -> Tree:
        r"""A bracket, or a product without signs: `\sin 2x \cos x` is `\sin(2x) \cos x`."""
        if self.sees("(", "{"):
            return self.operand()
        tree = self.expression(PRODUCT + 1)
        while self.next.kind == "symbol":
            self.count_operator()
            tree = Node("*", (tree, self.expression(PRODUCT + 1)))
        return tree

    def bracket(self, opening: str) -> Tree:
        """Something in brackets, or several things: a point, an interval, a set."""
        # in a set, a bar comes before a condition
        bars, self.bars = self.bars, int(opening == r"\{")
        items, separators = self.items()
        if opening == r"\{" and self.skip("|", ":"):
            items = [self.relation()]
        self.bars = bars
        if separators & {"or", "and"}:
            raise UnreadableError("words in brackets")
        return self.bracketed(opening, items, self.expect(*CLOSING[opening]))

    def bracketed(self, opening: str, items: list[Tree], closing: str) -> Tree:
        """What brackets make of the things inside them."""
        if opening in "⌊⌈" and len(items) == 1:
            return Node("floor" if opening == "⌊" else "ceil", tuple(items))
        if opening == r"\{" or (opening == "{" and len(items) != 1):
            return Node("set", tuple(items))
        if not items:
            raise UnreadableError("empty brackets")
        if len(items) == 1 and opening != "[":
            return items[0]
        return Node("()" if opening == "⟨" else opening + closing, tuple(items))

    def absolute(self) -> Tree:
        """`|x|`."""
        self.bars += 1
        tree = self.expression()
        self.expect("|")
        self.bars -= 1
        return Node("abs", (tree,))

    def matrix(self) -> Tree:
        r"""Rows between `\\`, cells between `&`."""
        rows: list[list[Tree]] = [[]]
        while not self.sees("finish"):
            rows[-1].append(self.expression())
            if self.skip(r"\\"):
                if not self.sees("finish"):
                    rows.append([])
            elif not self.skip("&"):
                break
        self.expect("finish")
        return Node("matrix", tuple(tuple(row) for row in rows))

    def units(self) -> None:
        """Words after a number: `cm^2`, `miles per hour`, `m/s`, `apples`."""
        while self.next.kind == "word" or (
            self.sees("/") and self.tokens[self.place + 1].kind in ("word", "symbol")
        ):
            if self.take().text == "/":
                self.take()
            if self.skip("^"):
                self.argument()
        if self.next.kind in ("number", "symbol", "function"):  # 5 feet 6 inches, 4 plus 5
            raise UnreadableError(f"{self.next.text!r} after a unit")

    def phrase(self, first: Token) -> Tree:
        """Words that stand alone: a name, a month and a day, yes or no."""
        words = [first.text]
        while self.next.kind in ("word", "number", "symbol") or self.sees("-", "'", "."):
            words.append(self.take().text)
        return Node("word", (" ".join(words).casefold().strip(" ."),))


def written(tree: Tree) -> str:
    """A tree as text, with every bracket and sign that was left out.

    >>> written(parse("2(x+1)^2"))
    '(2 * ((x + 1) ^ 2))'
    """
    if not isinstance(tree, Node):
        return str(tree)
    op, parts = (
        tree.op,
        [written(part) if isinstance(part, (Fraction, str, Node)) else part for part in tree.parts],
    )
    if op == "matrix":
        return "[" + "; ".join(", ".join(map(written, row)) for row in parts) + "]"
    if op in ("relation", "word"):
        return " ".join(parts)
    if op in "∞ℝ":
        return op
    if op in ("or", "and"):
        return f" {op} ".join(parts)
    if op in BINDING:
        return f"({f' {op} '.join(parts)})"
    if op == "neg":
        return f"-{parts[0]}"
    opening, closing = WRITTEN_IN.get(op, (f"{op}(", ")"))
    return opening + ", ".join(parts) + closing
