r"""From tokens to a tree, by Pratt's method (Top Down Operator Precedence, POPL 1973).

Every operator has a strength with which it binds what stands beside it; `expression(weakest)` reads
on while operators bind at least that strongly.

- what notation leaves out is put in: the product in `2x`, the sum in `1\frac{4}{5}`, the braces in
  `\frac12`
- words are read by `CH3.math_verifier.words`: units after a number are dropped, other
  words are kept beside it ("counted apples")
- `f(x)` is a function's value ("call f"), `x(x + 1)` a product
- brackets may be nested only so deep, so no text can exhaust Python's stack
"""

from fractions import Fraction

from CH3.math_verifier.lexer import RELATION_SIGNS, Token, UnreadableError, number_value, tokenize
from CH3.math_verifier.notation import (
    ADVERBS,
    FUNCTION_LETTERS,
    MAYBE_FUNCTION_LETTERS,
    OR_BOUNDS,
    QUALIFIERS,
    number_in_words,
)
from CH3.math_verifier.tree import BINDING, NUMBER_SETS, Node, Tree, is_call, is_op
from CH3.math_verifier.words import ANY_NUMBER, END, ORDINALS, PRODUCT, SEPARATORS, WordReader

MAX_DEPTH = 40  # of brackets
RELATION_PRICE = 4  # operators: an inequality is solved at a dozen places

SAME_OPERATION = {"to": ":"}
RELATIONS = RELATION_SIGNS | {"in", "↦"}
CLOSING = {
    "(": ")][",
    "[": "])[",
    "]": "[])",
    "{": "}",
    r"\{": (r"\}",),
    "⟨": "⟩",
    "⌊": "⌋",
    "⌈": "⌉",
}
ROOTS = {"sqrt": 2, "cbrt": 3, "fourthroot": 4}
# What sin^{-1} is.
INVERSE = {
    name: f"arc{name}"
    for name in ["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"]
}
NAMES = frozenset(["min", "max", "gcd", "lcm", "det"])  # also of a quantity: max = 8
MINUS_ONE = (Node("neg", (Fraction(1),)), Fraction(-1))


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


class Parser(WordReader):
    """Reads a list of tokens from left to right; every method reads one kind of thing and leaves
    the rest.
    """

    # --- answers, lists, relations ---

    def answer(self) -> Tree:
        """Read a whole text: one thing, or a list of them."""
        tree = self.list_of_items()
        if self.sees(r"\over", r"\choose"):  # 5 \over 8, without its braces
            tree = Node("/" if self.take().text == r"\over" else "binom", (tree, self.expression()))
        while self.skip("⇒"):  # what follows is the answer
            tree = Node("implies", (tree, self.list_of_items()))
        if self.next is not END:
            raise UnreadableError(f"{self.next.text!r} is out of place")
        return tree

    def list_of_items(self) -> Tree:
        """Read things between separators as one tree."""
        items, separators = self.items()
        if not items:
            raise UnreadableError(f"{self.next.text!r} is out of place")
        if len(items) == 1:
            return items[0]
        if separators <= set("∧∨") and not any(isinstance(item, Node) for item in items):
            return Node(f"call {''.join(sorted(separators))}", tuple(sorted(items, key=str)))
        if is_op(items[0], "relation") and items[0].parts[1::2] == ("!=",):  # x ≠ 1, 2
            name = items[0].parts[0]
            items = [
                item if is_op(item, "relation") else Node("relation", (name, "!=", item))
                for item in items
            ]
        words = (("∨", "or"), ("or", "or"), ("∧", "and"), ("and", "and"))
        operation = next((word for sign, word in words if sign in separators), "list")
        return Node(operation, tuple(items))

    def items(self) -> tuple[list[Tree], set[str]]:
        """Read things between separators; return them, and the separators that were used."""
        items: list[Tree] = []
        separators: set[str] = set()
        turned = self.sees("]") and self.depth == 0  # ]a, b[
        if self.sees_word("for"):
            self.skip_domain()
        while self.next is not END and (turned or not self.closes()):
            turned = False
            if self.next.kind == "word" and self.next.text.lower() in QUALIFIERS and items:
                items[-1] = self.qualified(items[-1])
                break
            items.append(self.relation())
            if self._explains():
                self.skip_bracket()
            if self._is_condition():  # k pi (k in Z)
                self.take()
                items.append(self.relation())
                separators.add(self.expect(")"))
            if not self.sees(*SEPARATORS):
                break
            while self.sees(*SEPARATORS):  # ", and" is one
                separators.add(self.take().text)
        return items, separators

    def relation(self) -> Tree:
        """Read an expression, or several with relations between them: `0 <= x < 1`."""
        # 1. the left side
        start = self.place
        parts = [self.expression()]
        if self.next is END:
            return parts[0]
        if self.sees("=") and not is_call(parts[0]) and (call := self._call_between(start)):
            parts = [call]  # whatever the letter: a(t) = ...
        if self.sees("or") and (sign := OR_BOUNDS.get(self.after(1).text)):  # 5 or more
            self.place += 2
            return Node("relation", (ANY_NUMBER, sign, parts[0]))
        # 2. signs and further sides
        while self.sees(*RELATIONS):
            if self.sees("="):
                parts[-1:] = [f"letter {parts[-1]}" if parts[-1] in ("e", "i") else parts[-1]]
            parts += [self.take().text, self.expression()]
            self.count_operator(RELATION_PRICE)
        if self._restates():  # 12 pi (≈ 37.7), 7/4 (or 1.75)
            self.take()
            sign, again = self.take().text, self.expression()
            if sign == "or":
                parts[-1] = Node("or", (parts[-1], again))
            else:
                parts += [sign if sign == "=" else "≈", again]
            self.expect(")")
        # 3. what it all is modulo
        tree = parts[0] if len(parts) == 1 else _split_at_unions(tuple(parts))
        return self.modulo(tree)

    def _is_condition(self) -> bool:
        """Return True if a bracket comes next that says something of a letter: `(x > 0)`."""
        is_relation = self.after(2).text in RELATIONS and self.after(2).kind == "sign"
        return self.sees("(") and self.after(1).kind == "symbol" and is_relation

    def _restates(self) -> bool:
        """Return True if a bracket comes next that says the same in other words: `(about 37.7)`."""
        token = self.after(1)
        return self.sees("(") and (token.text in ("≈", "=", "or") or token.text in ADVERBS)

    def modulo(self, tree: Tree) -> Tree:
        r"""Read the `(mod 7)` behind a residue or a congruence, if it stands there."""
        bracket = self.sees("(") and self.after(1).text == "mod"
        if not bracket and not self.sees("mod"):
            return tree
        self.place += 2 if bracket else 1
        modulus = self.operand()
        if bracket:
            self.expect(")")
        return Node("mod", (tree, modulus))

    def _call_between(self, start: int) -> Node | None:
        """Return the call `a(t)` if the tokens since `start` are one of a single letter."""
        first, *rest = self.tokens[start : self.place]
        if first.kind != "symbol" or len(rest) < 3 or rest[0].text != "(" or rest[-1].text != ")":
            return None
        if any(token.text in "()" for token in rest[1:-1]):
            return None
        inside = Parser(rest[1:-1]).answer()
        arguments = inside.parts if isinstance(inside, Node) and inside.op == "list" else (inside,)
        return Node(f"call {first.text}", arguments)

    # --- operators ---

    def expression(self, weakest: int = 0) -> Tree:
        """Read operands and the operators between them that bind at least so strongly."""
        tree = self.signed(weakest)
        while (token := self.next) is not END:
            operator = token.text if token.kind == "sign" else ""
            if operator == "!":
                self.take()
                double = self.sees("!") and not self.next.after_space
                tree = Node("!!" if double and self.take() else "!", (tree,))
            elif operator in ("'", '"') and isinstance(tree, Fraction):  # feet, inches
                self.take()
            elif operator in ("%", "°"):
                tree = self.percent_or_degrees(tree)
            elif self.starts_tail(tree):
                tree = self.tail(tree)
            elif operator in BINDING:
                if BINDING[operator] < weakest or (operator == ":" and self.in_set):
                    break
                self.take()
                if operator == "^":
                    tree = self.power(tree)
                else:
                    right = self.expression(BINDING[operator] + 1)
                    tree = Node(SAME_OPERATION.get(operator, operator), (tree, right))
            elif weakest <= PRODUCT and self.starts_operand():
                tree = Node("*", (tree, self.expression(PRODUCT + 1)))
            else:
                break
            self.count_operator()
        return tree

    def power(self, base: Tree) -> Tree:
        r"""Read what follows `^`; powers group from the right: `2^3^2` is `2^(3^2)`.

        `A^T` is a transposed matrix, `7^{th}` no power.
        """
        brace = self.sees("{")
        if self.after(int(brace)).text in ORDINALS and self.after(int(brace)).kind == "word":
            self.take()
            if brace:
                self.take()
                self.expect("}")
            return Node("counted th", (base,))
        exponent = self.exponent()
        if exponent in ("T", "top") and (_is_of_cells(base) or _is_upper(base)):
            is_row = isinstance(base, Node) and base.op == "[]" and len(base.parts) > 1
            return Node("transpose", (Node("()", base.parts) if is_row else base,))  # type: ignore[union-attr]
        return Node("^", (base, exponent))

    def exponent(self) -> Tree:
        r"""Read an exponent. In `x^2\frac12` it is the 2 alone."""
        self.count_operator()
        if self.next.kind != "number":
            return self.expression(BINDING["^"])
        tree = number_value(self.take().text)
        return Node("^", (tree, self.exponent())) if self.skip("^") else tree

    def percent_or_degrees(self, tree: Tree) -> Tree:
        """Read a percent sign, or degrees with their minutes: `22° 30'`."""
        sign = self.take().text
        if sign == "°":
            if self.next.kind == "symbol" and self.next.text in "CF":
                self.take()
            elif self.next.kind == "number" and self.after(1).text == "'":
                tree = Node("+", (tree, number_value(self.take().text) / 60))
                self.take()
        return Node(sign, (tree,))

    def signed(self, weakest: int) -> Tree:
        """Read an operand with its sign: `-x^2` is `-(x^2)`, `-2x` is `-(2x)`."""
        if self.sees("-", "+", "±", "∓"):
            self.count_operator()
            sign, tree = self.take().text, self.expression(max(weakest, PRODUCT))
            if sign == "+":
                return tree
            return Node("neg", (tree,)) if sign == "-" else Node(sign, (Fraction(0), tree))
        return self.operand()

    def starts_operand(self) -> bool:
        """Return True if the next token begins something that the one before is multiplied by."""
        if self.next.kind == "number":  # 3!4!, not 3 4
            return self.tokens[self.place - 1].kind != "number" or self.next.from_latex
        if self.next.kind in ("symbol", "function"):
            return True
        if self.sees("("):
            ends = self._restates() or self._explains() or self._is_condition()
            return self.after(1).text != "mod" and not ends
        return self.sees("{", "⟨", "⌊", "⌈", "∞", "begin") or (
            self.sees("|", "‖") and not self.bars
        )

    # --- operands ---

    def operand(self) -> Tree:
        """Read a number, a symbol, a function with its argument, or something in brackets."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UnreadableError(f"more than {MAX_DEPTH} levels")
        tree = self.read_operand(self.take())
        self.depth -= 1
        return tree

    def read_operand(self, token: Token) -> Tree:
        """Read what begins with this token; see `operand`."""
        if token.kind == "number":
            return self.number(token)
        if token.kind == "symbol":
            return self.symbol(token)
        if token.kind == "function":
            return self.function(token)
        if token.kind == "word":
            return self.phrase(token)
        if token.kind == "based":
            self.expect("_")
            return Node("base", (Node("word", (token.text,)), self.base()))
        if token.kind == "unknown":
            raise UnreadableError(f"{token.text!r} is no sign of mathematics")
        if token.text in CLOSING:
            return self.bracket(token.text)
        if token.text in ("|", "‖"):
            return self.absolute(token.text)
        if token.text in ("begin", "system"):
            return self.matrix(system=token.text == "system")
        if token.text == r"\root":  # \root 3 \of {5}
            index = self.operand()
            self.expect(r"\of")
            return Node("root", (self.argument(), index))
        if token.text in NUMBER_SETS:
            return self.number_set(token.text)
        if token.text == "∞":
            return Node("∞", ())
        if token.text == "∅":
            return Node("set", ())
        raise UnreadableError(f"{token.text!r} is out of place")

    def number_set(self, name: str) -> Tree:
        r"""Read what limits a set of numbers: `\mathbb{R}^+` is the interval from 0."""
        above = None
        if self.sees("^", "_"):
            self.take()
            braces = self.skip("{")
            above = self.take().text
            if braces:
                while not self.skip("}"):
                    above += self.take().text
                    if self.next is END:
                        raise UnreadableError("a brace is not closed")
        if above is None:
            return Node(name, ())
        if name == "ℝ" and above in ("+", ">0"):
            return Node("()", (Fraction(0), Node("∞", ())))
        if name == "ℝ" and above in ("-", "<0"):
            return Node("()", (Node("neg", (Node("∞", ()),)), Fraction(0)))
        if name == "ℝ" and above in (">=0", "0+", "+0"):
            return Node("[)", (Fraction(0), Node("∞", ())))
        if name in "ℤℕ":
            above = {">0": "+", "*": "+", ">=1": "+", "0+": ">=0", "0": ">=0"}.get(above, above)
            return Node("word", ("ℤ" + above,))
        return Node("word", (name + above,))

    def number(self, token: Token) -> Tree:
        """Read a number; a whole one may be half a mixed number, or have a base below it."""
        value = number_value(token.text)
        if self.next is END:
            return value
        if self.skip("_"):
            return Node("base", (value, self.base()))
        if "." in token.text or not token.text.isdecimal():
            return value
        start = self.place
        fraction = self.plain_fraction()
        if fraction is None:
            self.place = start
            return self.in_base(value)
        return value + fraction

    def in_base(self, value: Fraction) -> Tree:
        """Read the words `base 4` or `(base 4)` behind a number, if they stand there."""
        bracket = self.sees("(")
        if self.after(int(bracket)).text != "base":
            return value
        self.place += 1 + bracket
        self.skip("-")
        base = self.base()
        if bracket:
            self.expect(")")
        return Node("base", (value, base))

    def base(self) -> Tree:
        r"""Read the index that names a base: `4`, `{16}`, `{\text{four}}`, `{\text{base } 4}`."""
        brace = self.skip("{")
        if self.sees_word("base"):
            self.take()
        if self.next.kind == "word":
            value = number_in_words([self.take().text.lower()])
            if value is None:
                raise UnreadableError("an index that is no base")
            tree: Tree = value
        else:
            tree = self.expression() if brace else self.argument()
        if brace:
            self.expect("}")
        return tree

    def plain_fraction(self) -> Fraction | None:
        r"""Read `\frac{4}{5}` or ` 4/5` after a whole number, if that is what follows."""
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
        whole = top.denominator == bottom.denominator == 1 and 0 <= top < bottom
        return top / bottom if whole else None

    def argument(self) -> Tree:
        r"""Read what a command applies to: a group, or the next sign: `\frac12` is a half."""
        if self.next.kind != "number":
            return self.operand()
        digit, rest = self.next.text[0], self.next.text[1:]
        if rest and self.next.text.isdecimal():
            self.tokens[self.place] = Token("number", rest, from_latex=True)
            return number_value(digit)
        return number_value(self.take().text)

    def symbol(self, token: Token) -> Tree:
        """Read a symbol with primes and index; before a bracket it may be a function's name."""
        name = token.text
        if self.next is END:
            return name
        if name == "m" and self.next.text.startswith("angle "):  # the measure of an angle
            name = self.take().text
        name += self.primes() + self.subscript()
        name += self.primes()
        if self._is_inverse(token.text):
            name += "⁻¹"
        if self.sees("(") and self._is_function(token.text, name):
            arguments = self._given() or self.bracket(self.take().text)
            is_list = isinstance(arguments, Node) and arguments.op in ("()", "given")
            return Node(f"call {name}", arguments.parts if is_list else (arguments,))  # type: ignore[union-attr]
        if self.sees("[") and name in ("E", "P") and not self.next.after_space:  # E[X]
            return Node(f"call {name}", (self.bracket(self.take().text),))
        return name

    def _given(self) -> Tree | None:
        """Read the bracket of `P(A|B)`, if such comes next."""
        if self.after(2).text != "|" or self.after(4).text != ")":
            return None
        self.take()
        first = self.operand()
        self.take()
        arguments = Node("given", (first, "|", self.operand()))
        self.expect(")")
        return arguments

    def primes(self) -> str:
        r"""Read primes: `'`, or `^{\prime}`."""
        found = ""
        while True:
            if self.skip("'"):
                found += "'"
            elif self.sees("^") and self.after(1).text == "'":
                self.place += 2
                found += "'"
            elif self.sees("^") and self.after(1).text == "*":
                self.place += 2
                found += "*"
            elif self.sees("^") and self.after(1).text == "{" and self.after(2).text == "'":
                self.place += 2
                while self.skip("'"):
                    found += "'"
                self.expect("}")
            else:
                return found

    def _is_inverse(self, letter: str) -> bool:
        """Read the `^{-1}` between a function's letter and its bracket, if it stands there."""
        signs = "".join(self.after(distance).text for distance in range(6))
        length = 5 if signs.startswith("^{-1}(") else 3 if signs.startswith("^-1(") else 0
        if not length or letter not in FUNCTION_LETTERS | MAYBE_FUNCTION_LETTERS:
            return False
        self.place += length
        return True

    def _is_function(self, letter: str, name: str) -> bool:
        """Return True if a letter before a bracket is a function's name rather than a factor."""
        if letter in FUNCTION_LETTERS or "'" in name or "⁻" in name:
            return True
        if letter not in MAYBE_FUNCTION_LETTERS:
            return False
        inside = [self.after(1), self.after(2)]
        while inside[-1] is not END and inside[-1].text != ")" and len(inside) < 12:
            inside.append(self.after(len(inside) + 1))
        single = inside[1].text == ")" and inside[0].kind in ("symbol", "number")
        several = {"∩", "∪", ",", "|", "to", *RELATIONS} & {token.text for token in inside}
        return single or bool(several)

    def subscript(self) -> str:
        """Read an index, which is part of a symbol's name."""
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
        r"""Read a function: `\frac ab`, `\sqrt[n]{x}`, `\log_b x`, `\sin^2 x`, `gcd(a, b)`."""
        name = token.text
        if name in ("frac", "binom"):
            return Node("/" if name == "frac" else "binom", (self.argument(), self.argument()))
        if name in ROOTS:
            index = self.index() if self.sees("[") else Fraction(ROOTS[name])
            return Node("root", (self.argument() if token.from_latex else self.operand(), index))
        if name in NAMES and self.sees("="):  # the maximum
            return Node("word", (name,))
        if name in NAMES and self.sees(":"):
            return self._behind_label([name])
        if name in NAMES and self.next.kind == "number":
            return Node("relation", (Node("word", (name,)), "=", self.expression(PRODUCT)))
        base = (self.log_base(token),) if name == "log" and self._has_base(token) else ()
        power = self.argument() if self.skip("^") else None
        if power in MINUS_ONE and name in INVERSE:
            name, power = INVERSE[name], None
        argument = self.function_argument()
        arguments = (
            argument.parts if isinstance(argument, Node) and argument.op == "()" else (argument,)
        )
        tree = Node(name, (*arguments, *base))
        return tree if power is None else Node("^", (tree, power))

    def _has_base(self, token: Token) -> bool:
        """Return True if the base of a logarithm comes next: `\\log_2`, or `log2(8)`."""
        attached = self.next.kind == "number" and not self.next.after_space
        plain = attached and not token.from_latex and self.after(1).text == "("
        return self.sees("_") or plain

    def log_base(self, token: Token) -> Tree:
        """Read the base of a logarithm."""
        return self.argument() if self.skip("_") else number_value(self.take().text)

    def index(self) -> Tree:
        """Read the `[3]` of a cube root."""
        self.expect("[")
        tree = self.expression()
        self.expect("]")
        return tree

    def function_argument(self) -> Tree:
        r"""Read a bracket, or a product without signs: `\sin 2x \cos x` is `\sin(2x) \cos x`."""
        if self.sees("(", "{"):
            return self.operand()
        tree = self.expression(PRODUCT + 1)
        while self.next.kind == "symbol":
            self.count_operator()
            tree = Node("*", (tree, self.expression(PRODUCT + 1)))
        return tree

    # --- brackets ---

    def bracket(self, opening: str) -> Tree:
        """Read something in brackets, or several things: a point, an interval, a set."""
        if opening == "{" and self._begins_set():
            opening = r"\{"
        outside = self.bars, self.in_set
        # in a set, a bar or a colon comes before a condition
        self.bars, self.in_set = int(opening == r"\{"), opening == r"\{"
        items, separators = self.items()
        if opening == "{" and len(items) == 1 and self.sees(r"\over", r"\choose"):  # {1 \over 2}
            operation = "/" if self.take().text == r"\over" else "binom"
            items = [Node(operation, (items[0], self.expression()))]
        if opening == r"\{" and items and self.skip("|", ":"):
            self.bars, self.in_set = 0, False
            tree = self.set_of_solutions(items[0])
            self.expect(r"\}", "}")
            self.bars, self.in_set = outside
            return tree
        self.bars, self.in_set = outside
        if separators & {"or", "and"} and opening != "{":
            raise UnreadableError("words in brackets")
        if opening == "{" and separators & {"or", "and"}:
            self.expect("}")
            return Node("or" if "or" in separators else "and", tuple(items))
        tree = self.bracketed(opening, items, self.expect(*CLOSING[opening]))
        if self.sees("_") and opening in "({" and isinstance(tree, Fraction):  # (312)_4
            self.take()
            return Node("base", (tree, self.base()))
        return tree

    def _begins_set(self) -> bool:
        """Return True if plain braces hold the solutions of something: `{x | x > 3}`."""
        bar = self.after(1).text in ("|", ":") or (
            self.after(1).text == "in" and self.after(3).text in ("|", ":")
        )
        return self.next.kind == "symbol" and bar

    def set_of_solutions(self, element: Tree) -> Tree:
        r"""Read the condition of `{x | x > 3}` or `{x \in \mathbb{R} : x \ne 1}`."""
        condition = self.list_of_items()
        if isinstance(condition, Node) and condition.op == "list":
            condition = Node("and", condition.parts)
        if isinstance(element, Node) and element.op == "relation":  # x in a set
            parts = condition.parts if isinstance(condition, Node) and condition.op == "and" else ()
            return Node("and", (element, *(parts or (condition,))))
        return condition if isinstance(element, str) else Node("family", (element, condition))

    def bracketed(self, opening: str, items: list[Tree], closing: str) -> Tree:
        """Return what brackets make of the things inside them."""
        if opening in "⌊⌈" and len(items) == 1:
            return Node("floor" if opening == "⌊" else "ceil", tuple(items))
        if opening == r"\{" or (opening == "{" and len(items) != 1):
            return Node("set", tuple(items))
        if not items:
            raise UnreadableError("empty brackets")
        if closing == "[" or opening == "]":  # ]a, b[ is open at both ends
            if len(items) != 2:
                raise UnreadableError("brackets that are turned around")
            ends = ("(" if opening == "]" else opening) + (")" if closing == "[" else closing)
            return Node(ends, tuple(items))
        if len(items) == 1 and opening != "[":
            return items[0]
        return Node("()" if opening == "⟨" else opening + closing, tuple(items))

    def absolute(self, bar: str) -> Tree:
        r"""Read `|x|`, or the length `\|v\|`."""
        self.bars += 1
        tree = self.expression()
        self.expect(bar)
        self.bars -= 1
        return Node("abs" if bar == "|" else "norm", (tree,))

    def matrix(self, system: bool) -> Tree:
        r"""Read rows between `\\`, with cells between `&`; rows of relations are a system."""
        rows: list[list[Tree]] = [[]]
        while not self.sees("finish"):
            if self.sees(r"\\", "&"):
                raise UnreadableError("an empty cell")
            cell = self.cell()
            rows[-1] += cell.parts if isinstance(cell, Node) and cell.op == "list" else (cell,)
            if self.skip(r"\\"):
                if not self.sees("finish"):
                    rows.append([])
            elif not self.skip("&"):
                break
        self.expect("finish")
        cells = [cell for row in rows for cell in row]
        if not system and not any(
            isinstance(cell, Node) and cell.op == "relation" for cell in cells
        ):
            return Node("matrix", tuple(tuple(row) for row in rows))
        if any(len(row) > 2 for row in rows) or not cells:
            raise UnreadableError("a system of more than two columns")
        lines = tuple(row[0] if len(row) == 1 else Node("case", tuple(row)) for row in rows)
        return lines[0] if len(lines) == 1 else Node("and", lines)

    def cell(self) -> Tree:
        """Read a cell: an expression, a relation, or a condition: `if x > 0`, `otherwise`."""
        if self.sees_word("if", "for", "when"):
            self.take()
        return self.list_of_items()


def _split_at_unions(parts: tuple) -> Node:
    """Return a chain of relations, or several between which a union stands: `x < 1 ∪ x > 2`."""
    for place in range(2, len(parts) - 1, 2):
        operand = parts[place]
        if isinstance(operand, Node) and operand.op in ("∪", "∩"):
            before, after = operand.parts
            first = Node("relation", (*parts[:place], before))
            rest = _split_at_unions((after, *parts[place + 1 :]))
            return Node("or" if operand.op == "∪" else "and", (first, rest))
    return Node("relation", parts)


def _is_of_cells(tree: Tree) -> bool:
    """Return True if a tree is a matrix, a row, or an expression of matrices."""
    if not isinstance(tree, Node):
        return False
    return tree.op in ("matrix", "()", "[]") or any(map(_is_of_cells, tree.parts))


def _is_upper(tree: Tree) -> bool:
    return isinstance(tree, str) and len(tree) == 1 and tree.isupper()
