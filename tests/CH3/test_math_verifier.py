"""The verifier from the inside: how texts become trees, trees values, values keys; and what each
bound refuses.
"""

from fractions import Fraction

import pytest

from CH3.math_verifier import answer_key, explain_grade, grade_answer, same_answer
from CH3.math_verifier.arithmetic import MAX_CONSTANT_BITS, Arithmetic, UndefinedError
from CH3.math_verifier.keys import Residues, Text, Unvalued
from CH3.math_verifier.lexer import UnreadableError, tokenize
from CH3.math_verifier.modular import residues
from CH3.math_verifier.parser import parse
from CH3.math_verifier.real_sets import Interval, reals
from CH3.math_verifier.tree import Node
from CH3.math_verifier.values import Complex, fingerprint, value_at, values_at_places

HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (r"2\cdot\left(x+1\right)", "2 * ( x + 1 )"),
        ("1,000,000.5", "1000000.5"),
        ("[1,100]", "[ 1 , 100 ]"),
        (r"11,\! 111", "11111"),
        (r"\text{ cm}^2", "cm ^ 2"),
        ("x₁²", "x _ { 1 } ^ { 2 }"),
        ("45°", "45 °"),
        (r"45^{\circ}", "45 °"),
        ("sinx", "sin x"),
        ("xyz", "x y z"),
        ("east", "east"),
        ("7.", "7"),
        ("(3,100,200)", "( 3 , 100 , 200 )"),
        ("(1,000, 2)", "( 1000 , 2 )"),
        ("1,2,345", "1 , 2 , 345"),
        ("1.234.567,89", "1234567.89"),
        ("1'000'000", "1000000"),
        ("3{,}5", "3.5"),
        ("0.3636...", r"0.\overline{36}"),
        (r"\mathrm{e}^2", "e ^ 2"),
        ("3AF_{16}", "3AF _ { 16 }"),
        ("3 p.m.", "3 pm"),
        ("7th", "7 th"),
        ("（3，8）", "( 3 , 8 )"),
        ("³⁄₄", "frac { 3 } { 4 }"),
        ("**12 cm.**", "12 cm"),
        ("<b>12</b>", "12"),
        (r"{\bf 6}\hspace{2pt}", "{ 6 }"),
        (r"\int x", r"\int x"),
    ],
)
def test_signs_have_one_name_however_they_are_spelled(text, tokens):
    assert " ".join(token.text for token in tokenize(text)) == tokens


@pytest.mark.parametrize(
    ("text", "same_tree"),
    [
        ("1+2*3", "1+(2*3)"),
        ("8-4-2", "(8-4)-2"),
        ("2^3^2", "2^(3^2)"),
        ("-x^2", "-(x^2)"),
        ("2x^2y", "(2*x^2)*y"),
        ("2^-1", "2^(-1)"),
        (r"\frac12x", r"\frac{1}{2}*x"),
        (r"\sin 2x\cos x", r"\sin(2*x)*\cos(x)"),
        (r"\sin^2 x", r"(\sin x)^2"),
        (r"\log_2 8", r"\log_{2}(8)"),
        (r"\sqrt2x", r"\sqrt{2}*x"),
        ("sqrt(2)x", r"\sqrt{2}*x"),
        ("|a||b|", "|a|*|b|"),
        ("3 miles per hour", "3"),
        ("1, 2 and 3", r"1 \text{ and } 2 \text{ and } 3"),
        ("5 hours 30 minutes", "5 + 0.5"),
        (r"48\ \mathrm{N\cdot m}", "48"),
        ("7 out of 12", "7/12"),
        ("two hundred and five", "205"),
        ("3 eighths", "3/8"),
        ("f(1,2)", "f (1,2)"),
        ("x(x+1)", "x*(x+1)"),
        (r"\sec^{-1} x", r"\operatorname{arcsec} x"),
        (r"{3 \over 4}", r"\frac{3}{4}"),
        (r"\root 3 \of x", r"\sqrt[3]{x}"),
        ("]1, 2[", "(1, 2)"),
        (r"\begin{cases} x = 1 \\ y = 2 \end{cases}", r"x = 1 \text{ and } y = 2"),
        (r"3x \text{ for all real } x", "3x"),
        (
            r"\det\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
            r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}",
        ),
    ],
)
def test_the_tree_is_that_of_the_text_with_everything_written_out(text, same_tree):
    assert parse(text) == parse(same_tree)


def test_values_are_exact_where_they_can_be():
    assert value_at(parse(r"\sqrt{4} + \frac{1}{2}"), {}) == Fraction(5, 2)
    assert value_at(parse(r"\sin 30^\circ"), {}) == HALF
    assert value_at(parse("(-8)^{1/3}"), {}) == -2
    assert value_at(parse("2^{100}"), {}) == 2**100
    assert value_at(parse("(1+2i)^2"), {}) == Complex(Fraction(-3), Fraction(4))
    assert value_at(parse("x^2 + 1/3"), {"x": HALF}) == Fraction(7, 12)
    rounded = value_at(parse(r"\sqrt{2}"), {})
    assert abs(rounded**2 - 2) < Fraction(1, 10**98)
    assert rounded == value_at(parse(r"\frac{2}{\sqrt{2}}"), {})


def test_places_have_both_signs_and_what_is_undefined_says_so():
    roots = values_at_places(parse(r"\sqrt{x}"))
    assert None in roots
    assert any(value is not None and value > 3 for value in roots)
    assert None not in values_at_places(parse("|x|"))
    with pytest.raises(UndefinedError):
        fingerprint(parse(r"\frac{1}{x-x}"))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1001,
        "9" * 401,
        "(" * 60 + "1" + ")" * 60,
        "-" * 160 + "1",
        "9^{9^{9}}",
        "10^{20000}",
        "(x+1)^{10^6}",
        r"e^{e^{e^{e}}}",
        "3001!",
        r"\binom{10^9}{5000}",
        r"\sin(10^{400})",
        "1e9999",
        r"\sqrt[1000]{2}",
        "+".join(rf"\sqrt{{{n}}}" for n in range(2, 120)),
    ],
)
def test_what_would_cost_too_much_is_refused_before_it_starts(text):
    with pytest.raises((UnreadableError, UndefinedError)):
        Arithmetic(100, MAX_CONSTANT_BITS).evaluate(parse(text), {"x": Fraction(3)})
    assert isinstance(answer_key(text), (Residues, Text, Unvalued))
    assert grade_answer(text, text)
    assert not grade_answer(text, "1")


def test_sets_of_real_numbers_are_joined_and_cut_exactly():
    infinity = float("inf")
    assert reals(parse(r"(1,2]\cup(2,3)")) == [Interval(1, False, 3, False)]
    assert reals(parse(r"(1,2)\cup(2,3)")) == [
        Interval(1, False, 2, False),
        Interval(2, False, 3, False),
    ]
    assert reals(parse(r"\mathbb{R}\setminus\{0\}")) == [
        Interval(-infinity, False, 0, False),
        Interval(0, False, infinity, False),
    ]
    assert reals(parse(r"[0,\sqrt{12}] \cap [2\sqrt{3}, 5]")) == reals(parse(r"\{\sqrt{12}\}"))
    assert reals(parse("3 - 2x < 7")) == [Interval(-2, False, infinity, False)]
    assert reals(parse("1 < x < 0")) == []
    assert reals(parse("x > 1, x < 3")) == reals(parse("1 < x < 3"))  # both hold, where that can be
    assert reals(parse("x < 1, x > 3")) == reals(parse(r"x < 1 \text{ or } x > 3"))
    assert reals(parse("|2x-1| < 5")) == [Interval(-2, False, 3, False)]
    assert reals(parse("2x <= |x|")) == [Interval(-infinity, False, 0, True)]
    assert reals(parse(r"x > \sqrt{3}")) == reals(parse(r"(\sqrt{3}, \infty)"))
    assert reals(parse("x = 5, x > 7 or x < 1")) == reals(
        parse(r"(-\infty, 1) \cup \{5\} \cup (7, \infty)")
    )
    assert reals(parse(r"\mathbb{R} - \{0\}")) == reals(parse(r"x \ne 0"))
    assert reals(parse("|x| > 2, x < 0")) == [Interval(-infinity, False, -2, False)]
    assert reals(parse(r"x \ne 1 \text{ and } x > 0")) == [
        Interval(0, False, 1, False),
        Interval(1, False, infinity, False),
    ]


def test_squares_products_and_quotients_are_solved_between_their_roots():
    infinity = float("inf")
    assert reals(parse("x^2 - 5x + 6 < 0")) == [Interval(2, False, 3, False)]
    assert reals(parse(r"(x-1)(x-2)(x-3) \ge 0")) == reals(parse(r"[1,2] \cup [3,\infty)"))
    assert reals(parse(r"\frac{x-1}{x+2} \le 0")) == [Interval(-2, False, 1, True)]
    assert reals(parse("x^2 < 7")) == reals(parse(r"(-\sqrt{7}, \sqrt{7})"))
    assert reals(parse("(x-1)^2 > 0")) == reals(parse(r"x \ne 1"))
    assert reals(parse(r"(x-1)^2 \le 0")) == [Interval(1, True, 1, True)]
    assert reals(parse("x^2 + 1 > 0")) == [Interval(-infinity, False, infinity, False)]
    assert reals(parse("x^2 + 1 < 0")) == []
    assert reals(parse("|x| < x^2")) == reals(parse(r"|x| > 1"))
    assert reals(parse(r"\frac{1}{x} > 0")) == [Interval(0, False, infinity, False)]


@pytest.mark.parametrize(
    "text", ["x > 1, y < 3", "x > 1, 2", "|x| = 3", r"|x| \ne 3", "|x|+|x-1| < 3", "|x| < x^3"]
)
def test_what_is_no_set_of_real_numbers_is_none(text):
    with pytest.raises(UnreadableError):
        reals(parse(text))


@pytest.mark.parametrize(
    ("predicted", "reference", "rule"),
    [
        ("0.5", "1/2", "the same number, in fractions"),
        (r"\sqrt{8}", r"2\sqrt{2}", "the same number, in 100 digits"),
        ("2(x+1)", "2x+2", "the same expression, at every place tried"),
        ("2,1", "1,2", "the same set"),
        ("x=5", "5", "the same, if one is read as the value of what it names"),
        ("y=2, x=1", "(1,2)", "the same, if one is read as a point"),
        ("5 m^2", "5", "the same, if one is read as a number of units"),
        (r"\ln x^2", r"2\ln x", "the same values wherever both are defined"),
        ("(1,2)", "(2,1)", "a different tuple"),
        ("(1,2)", "3", "tuple against number"),
        ("?!", "?!", "the same text"),
        (None, "3", "there is no answer"),
    ],
)
def test_a_grade_says_which_rule_decided(predicted, reference, rule):
    grade = explain_grade(predicted, reference)
    assert grade.rule == rule
    assert grade.correct == rule.startswith("the same")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\frac{6}{4}", "3/2"),
        (r"\sqrt{2}", "1.41421356237…"),
        ("3-4i", "3 - 4i"),
        ("(1, 2)", "(1, 2)"),
        ("x>3", "(3, ∞)"),
        ("52_8", "52 in base 8"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "[1, 2; 3, 4]"),
        (r"\text{Yes}", "word yes"),
        ("2, 1, 2", "1, 2, 2"),
        ("x = 2, y = -1", "x = 2, y = -1"),
        (r"x = 2 \text{ or } x > y", "x = 2 or x > y"),
        ("x + y \\ge 2", "(x + y) >= 2"),
        (r"\{a, |b|\}", "{a, |b|}"),
        ("(a, 3]", "(a, 3]"),
        (r"(-\infty, a)", "(-∞, a)"),
        ("(4, 3]", "(4, 3]"),
        (r"-\infty", "-∞"),
        (r"\begin{pmatrix} a & 2 \\ 3 & b \end{pmatrix}", "[a, 2; 3, b]"),
    ],
)
def test_a_grade_shows_how_each_side_was_understood(text, shown):
    assert explain_grade(text, "0").predicted == shown


def test_an_answer_cannot_be_written_to_agree_where_it_is_tried():
    """A polynomial that vanishes at the places that are known beforehand is not zero."""
    places = values_at_places(parse("x"))
    zero = "".join(f"(x-({place}))" for place in places)
    assert set(values_at_places(parse(zero))) == {Fraction(0)}
    assert not grade_answer(f"x+{zero}", "x")
    assert not grade_answer(f"x-3*{zero}", "x")


@pytest.mark.parametrize(
    ("predicted", "reference", "same"),
    [
        (r"5\text{ hours}", r"5\text{ minutes}", True),
        (r"7\text{ up}", "7", True),
        (r"7\text{ up}", r"7\text{ down}", False),
        ("0.36", r"0.36\%", True),
        (r"45^\circ", r"\frac{\pi}{4}", False),
        ("5,100", "5, 100", True),
        ("(5,100)", "5100", False),
        ("f(x)=3x", "y=3x", True),
        ("f(x)=3x", "f(t)=3t", True),
        ("f(x)=3x", "g(x)=3x", False),
        ("x+y=12", "12", False),
        (r"\sqrt{7} \approx 2.646", r"\sqrt7", True),
        (r"\sqrt{7} \approx 2.646", "2.646", True),
        (r"\sqrt{7} \approx 2.9", "2.9", False),
        ("4=5", "5", False),
        ("xy=6", r"y=\frac{6}{x}", False),
        (r"\text{none}", r"\emptyset", True),
        ("5–7", "-2", True),
        (r"\cos(n\pi)", "(-1)^n", False),
        ("6:10", "3:5", True),
        ("3:45", "1:15", False),
    ],
)
def test_debatable_answers_are_graded_as_the_docstring_says(predicted, reference, same):
    assert grade_answer(predicted, reference) is grade_answer(reference, predicted) is same


def test_numbers_too_large_to_compute_are_compared_by_remainders():
    assert answer_key("2^{100000}") == answer_key("4^{50000}")
    assert isinstance(answer_key("2^{100000}"), Residues)
    assert residues(parse("x^{9999}(x+1)"), "a") == residues(parse("x^{10000}+x^{9999}"), "a")
    assert residues(parse("3^{99999}"), "a") != residues(parse("3^{99999}"), "b")  # other primes
    for text in (r"\sqrt{2^{99999}}", "1/(2^{99999}-2^{99999})", "0^{-1}", "i^{99999}", "2^x"):
        with pytest.raises(UnreadableError):
            residues(parse(text))


def test_a_function_without_a_formula_depends_on_its_name_and_its_arguments_alone():
    x = {"x": Fraction(3)}
    assert value_at(parse("f(1+x)"), x) == value_at(parse("f(x+1)"), x)
    assert value_at(parse("f(2x)"), x) != 2 * value_at(parse("f(x)"), x)
    assert value_at(parse("f(x)"), x) != value_at(parse("g(x)"), x)
    assert value_at(parse(r"f(\sqrt{8})"), {}) == value_at(parse(r"f(2\sqrt{2})"), {})


@pytest.mark.parametrize(
    "text", ["f(2024!)", r"(40\,120, 3)", r"1 \cup \infty", r"{1 \over}", "]", "0^{-1}"]
)
def test_what_the_fuzz_found_raises_nothing(text):
    assert grade_answer(text, text)
    assert explain_grade(text, "1").predicted


def test_leniency_is_towards_a_reference_and_not_between_votes():
    assert grade_answer("x=5", "5")
    assert grade_answer("y=5", "5")
    assert not grade_answer("x=5", "y=5")
    assert not same_answer("x=5", "5")
    assert grade_answer("0.5", r"50\%")
    assert grade_answer("50", r"50\%")
    assert same_answer("0.5", r"50\%")
    assert not same_answer("50", r"50\%")


def test_a_text_that_is_too_long_to_read_is_compared_as_it_stands():
    long = "Evelyn" * 200
    assert grade_answer("Evelyn", "evelyn")
    assert grade_answer(long, long)
    assert not grade_answer(long, long.lower())


def test_a_tree_holds_numbers_symbols_and_nodes_alone():
    def check(tree):
        assert isinstance(tree, (Fraction, str, Node, tuple))
        for part in (
            tree.parts if isinstance(tree, Node) else tree if isinstance(tree, tuple) else ()
        ):
            check(part)

    for text in (
        r"\begin{pmatrix} 1 \\ x \end{pmatrix}",
        "f(x) = 2x < 3",
        r"\{1, \pm 2\}",
        "__import__",
    ):
        try:
            check(parse(text))
        except UnreadableError:
            assert text == "__import__"


@pytest.mark.parametrize(
    ("predicted", "reference", "same"),
    [
        ("5 hours", "5", True),
        ("10 east", "10", True),
        ("10 east", "10 west", False),
        (r"50\%", r"\frac12", True),
        ("50%", "50", True),
        (r"45^\circ", "45", True),
        (r"45^\circ", r"\frac{\pi}{4}", False),
        ("5,100", "5100", True),
        ("(5,100)", "5100", False),
        ("f(x) = 3x", "3x", True),
        ("f(x) = 3x", "g(x) = 3x", False),
        (r"\sqrt{7} \approx 2.646", r"\sqrt{7}", True),
        (r"\sqrt{7}", "2.646", False),
        ("xy = 6", r"y = \frac{6}{x}", False),
        ("no solution", r"\emptyset", True),
        ("12 students", "12", True),
        ("12 students", "12 teachers", False),
        ("10 blue marbles", "10 marbles", True),
        ("|x| = 12", "12", False),
        ("|z| = 12", "12", True),
        ("a: 5, b: 7", "a: 7, b: 5", False),
        ("x^2 < 9", "(-3, 3)", True),
        (r"\frac{\pi}{2} + k\pi, k\in\mathbb{Z}", r"\frac{5\pi}{2} - n\pi, n\in\mathbb{Z}", True),
        (r"\frac{\pi}{2} + k\pi", r"\frac{\pi}{2} + n\pi", True),
        (r"\frac{x}{2} + k", r"\frac{x}{2} + n", False),
        (r"n > 5, n \in \mathbb{Z}", "n > 5", True),
        ("at least 5", r"x \ge 5", True),
        ("at least 5", "5", False),
        ("C_5^2", "10", True),
    ],
)
def test_what_was_decided_is_what_is_graded(predicted, reference, same):
    assert grade_answer(predicted, reference) is same


@pytest.mark.parametrize("answers", [(5, "5"), ("5", 5), (0.5, "1/2"), ("1/2", None)])
def test_what_is_no_text_is_refused_in_words(answers):
    for function in (grade_answer, explain_grade, same_answer):
        with pytest.raises(TypeError, match="expected a text"):
            function(*answers)
