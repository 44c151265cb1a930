"""Tests of the charts and drawings: they describe themselves, and nothing runs out of its place."""

import re
from itertools import pairwise

import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from Appendixes import figure_style
from Appendixes.drawings import chapter2, chapter3, chapter4
from Appendixes.drawings.canvas import Canvas, Node, ink_on, leaves, visible
from Appendixes.drawings.charts import show_bars, show_line_panels, show_lines
from Appendixes.drawings.overview import STATIONS, show_map
from Appendixes.drawings.texts import show_shaded_text
from Appendixes.drawings.workshop import show_documents, show_mask, show_rows
from Appendixes.figure_style import BLUE, ORANGE, PALE, RED


@pytest.fixture
def shown(monkeypatch) -> list:
    """Pictures that were shown: figures, whose descriptions are their labels."""
    figures: list = []

    def keep(figure, text=""):
        figures.append(figure_style.describe(figure, text))

    for module in ("canvas", "charts", "chapter2", "chapter3", "chapter4"):
        monkeypatch.setattr(f"Appendixes.drawings.{module}.show", keep)
    return figures


def beyond_the_edge(figure) -> float:
    """Return how far anything in a picture stands beyond its edge, in inches."""
    figure.draw_without_rendering()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return max(-drawn.x0, -drawn.y0, drawn.x1 - width, drawn.y1 - height)


def draw_all() -> None:
    show_bars(
        "Packing helps", {"plain": 12, "packed": 40}, "tokens per second",
        intervals={"plain": (10, 14)}, strong=["packed"],
    )  # fmt: skip
    show_lines("It grows", range(3), {"a": [1, 2, 4], "b": [3, 3]}, "n", "ms", levels={"top": 9})
    show_line_panels("Two views", [1, 2, 4], {"ms": [1, 1, 2], "per second": [1, 2, 2]}, "rows")
    show_line_panels("Doublings", [1, 2, 64], {"ms": [3, 3, 7], "s": [9, 20, 9000]}, "n", log="xy")
    for chapter in (2, 3, 4):
        show_map(chapter)
    one = (["4", " is", "\n", "8"], [False, False, False, True])
    show_documents("One is learnt", {"": one, "again": one})
    show_rows("Two rows", [[0, 0, 0, 1, 1], [0, 0, 1, 1, 2]], [[False, True] * 2 + [False]] * 2)
    show_mask("Two documents", [[True, False, False], [True, True, False], [False, False, True]])
    show_shaded_text("One digit is unsure", ["4", "7", " = ", "8\n", "9"], [1, 0.25, 1, 0.5, 0.75])


def draw_chapter2() -> None:
    chapter2.show_tokens([["What", " is", " ", "4", "7"], list("Ardwarklethyrx")])
    chapter2.show_shapes(34, 160, 640, 5)
    chapter2.show_loop(["Answer", ":", "\n\n"], {"4": 0.61, "3": 0.39})
    chapter2.show_recomputation(4, 7)
    chapter2.show_recomputation(4, 7, cached=True)
    chapter2.show_attention(["4", "7", " * "], [[1, 0, 0], [0.5, 0.5, 0], [0.7, 0.2, 0.1]], "One")
    chapter2.show_rotation([(5, 2), (9, 6)], 0.45, 1.0)
    for heads, kv_heads in ((6, 2), (16, 8), (4, 4)):
        chapter2.show_shared_heads(heads, kv_heads)
    chapter2.show_batch([34, 40, 42, 36], [103, 57, 41, 44])
    chapter2.show_rounding([-0.2, 0.0, 0.1], ("8 bits", [-0.2, -0.1, 0.0]), ("4 bits", [-0.2, 0.1]))
    chapter2.show_memory_limit({"16 bits": 1.19e9, "4 bits": 4e8}, 22.6e9)
    program = "    cpp_fused_mean_pow_0(a)\n    extern_kernels.mm(a, b)\n    cpp_fused_add_1(b)\n"
    chapter2.show_fusing(["pow", "mean", "mm", "add"], program)
    chapter2.show_launches()
    chapter2.show_shares("Most", {"embedding": 100, "attention": 400, "mlp": 1000}, "weights")
    chapter2.show_time_parts("Half", {"16 bits": (53.0, 31.0), "4 bits": (18.0, 23.0)})


def test_drawings_of_chapter_2_fit_and_say_what_they_show(shown):
    draw_chapter2()
    assert len(shown) == 17
    assert [figure.get_label() for figure in shown if beyond_the_edge(figure) > 0.01] == []
    said = [figure.get_label() for figure in shown]
    assert len(set(said)) == len(said)
    assert all(re.search(r"\d", text) and len(text.split()) > 6 for text in said)


def draw_chapter4() -> None:
    chapter4.show_temperatures(["8", "7", " "], {0.1: [1, 0, 0], 1: [0.5, 0.3, 0.2]})
    chapter4.show_nucleus(["8", "7", "2"], [0.5, 0.41, 0.09], 0.9)
    chapter4.show_darts(["0", "7", "9"], [0.05, 0.91, 0.04], [0.02, 0.45, 0.97])
    chapter4.show_votes(["0", "5", None, "0"] * 5, {"confident": 4, "decided": 14})
    chapter4.show_votes(["0", "5", None, "0"] * 5, {"confident": 4}, "0")
    chapter4.show_votes(["1700", r"\frac{51}{162}", "(6, -5)", "x = 12"] * 5, reference="1700")
    chapter4.show_votes([r"\frac{51}{162}", "7"], reference="7")
    chapter4.show_won_votes([0, 3, 3, 10, 17, 20], [False, True, False, True, True, True], 20)
    chapter4.show_won_votes([3, *[20] * 60], [True] * 61, 20)
    chapter4.show_beliefs({(3, 0): [0.4, 0.9], (4, 1): [0.7]})
    points = {"direct": (9, 0.17, (0.14, 0.21)), "20 votes": (1578, 0.89, (0.86, 0.92))}
    ways = {"arithmetic": points, "a long name of a way": points}
    chapter4.show_frontier({"Tokens buy": ways})
    chapter4.show_frontier({"Arithmetic": ways, "Countdown": {"a thought": points}})
    chapter4.show_frontier({"Slow": ways}, "minutes on a machine", (0.1, 0.95))
    chapter4.show_frontier({"A tie": ways}, band=(90, 400, "may be\nluck"))
    chapter4.show_tries([4, 12, 19], 67, [("19 + 12 = 31", "35", False), ("12 * 4", "67", True)])


def test_drawings_of_chapter_4_fit_and_say_what_they_show(shown):
    draw_chapter4()
    assert [figure.get_label() for figure in shown if beyond_the_edge(figure) > 0.01] == []
    said = [figure.get_label() for figure in shown]
    assert len(set(said)) == len(said) == 15
    assert all(re.search(r"\d", text) and len(text.split()) > 6 for text in said)


@pytest.mark.parametrize(
    "answers", [["1700", "1600"] * 10, [r"\frac{51}{162}", "123456789012"] * 4]
)
def test_an_answer_stays_in_its_square(shown, answers):
    chapter4.show_votes(answers)
    figure = shown[0]
    figure.draw_without_rendering()
    side = figure.bbox.width / len(answers)
    inside = [text for text in figure.findobj(Text) if text.get_text() in {"A", "B", *answers}]
    assert len(inside) == len(answers)
    assert all(text.get_window_extent().width < 0.9 * side for text in inside)


def test_votes_are_counted_on_both_sides_of_one_half(shown):
    chapter4.show_won_votes([0, 3, 3, 10, 17, 20], [False, True, False, True, True, True], 20)
    assert "5 squares" in shown[0].get_label()
    assert "right: 1 of 3 below one half; 1 of 1 on it; 1 of 1 above" in shown[0].get_label()
    assert "One more column: 1 problem, each with 20 right samples" in shown[0].get_label()


@pytest.mark.parametrize(("all_right", "squares"), [(1, 1), (3, 3), (4, 2), (60, 2)])
def test_a_column_that_is_too_high_is_broken_and_says_its_number(shown, all_right, squares):
    chapter4.show_won_votes([20] * all_right, [True] * all_right, 20)
    colours = [to_hex(patch.get_facecolor()) for patch in shown[0].axes[0].patches]
    assert colours.count(BLUE.lower()) == squares
    written = [text for text in shown[0].findobj(Text) if text.get_text() == str(all_right)]
    large = [text for text in written if text.get_fontsize() > figure_style.FONT]
    assert len(large) == (all_right > 3)


def test_the_right_answer_is_blue_also_where_a_mistake_has_most_votes(shown):
    answers = ["1600", "1700", "1600", None]
    for reference in ("1700", None):
        chapter4.show_votes(answers, reference=reference)
    marked, plain = (
        [to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches] for figure in shown
    )
    blue, orange, pale = (one.lower() for one in (BLUE, ORANGE, PALE))
    assert marked == [orange, blue, orange, pale]
    assert plain == [blue, orange, blue, pale]


def test_a_nucleus_says_what_is_kept_and_writes_each_share_under_its_token(shown):
    chapter4.show_nucleus(["8", "7", "5"], [0.6, 0.398, 0.002], 0.9)
    texts = [text.get_text() for text in shown[0].findobj(Text)]
    assert {"kept", "cut off", "running sum", "the last one kept"} <= set(texts)
    assert {"8\n60.0%", "7\n39.8%", "5\n0.2%"} <= set(texts)


def test_a_frontier_counts_in_the_unit_of_its_cost(shown):
    points = {"greedy": (10.1, 0.15, (0.12, 0.19)), "n = 10": (300.4, 0.32, (0.28, 0.36))}
    chapter4.show_frontier({"Votes": {"direct": points}}, "minutes on a machine", (0.1, 0.4))
    figure = shown[0]
    assert "greedy: 15% for 10 minutes, n = 10: 32% for 300 minutes" in figure.get_label()
    assert figure.axes[0].get_xlabel().startswith("minutes on a machine")
    assert figure.axes[0].get_ylim() == (0.1, 0.4)


def crowded_ways() -> dict:
    guesses = {
        f"n = {n}": (16 * n**0.8, 0.1 + 0.15 * i, (0.05, 0.8)) for i, n in enumerate((1, 3, 9))
    }
    thoughts = {"0": (16, 0.2, (0.1, 0.3)), "greedy": (17, 0.4, (0.3, 0.5)), "9": (90, 0.4, (0, 1))}
    return {"guesses": guesses, "thoughts": thoughts}


def test_names_of_a_frontiers_points_do_not_cover_each_other_or_leave_the_axes(shown):
    chapter4.show_frontier({"Crowded": crowded_ways()})
    figure = shown[0]
    figure.draw_without_rendering()
    names = [name for way in crowded_ways().values() for name in way]
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text() in names]
    assert len(boxes) == len(names) == 6
    assert not [1 for i, box in enumerate(boxes) for other in boxes[:i] if box.overlaps(other)]
    edge = figure.axes[0].bbox
    assert all(edge.x0 <= box.x0 and box.x1 <= edge.x1 for box in boxes)


def test_a_greedy_point_is_joined_to_no_other(shown):
    chapter4.show_frontier({"Crowded": crowded_ways()})
    drawn = [line for line in shown[0].axes[0].lines if line.get_linestyle() not in ("None", "")]
    lengths = sorted(len(line.get_xdata()) for line in drawn)
    assert lengths == [0, 0, 2, 3]  # two for the legend, the thoughts without greedy, the guesses


def test_beliefs_are_bars_of_elections_whose_areas_sum_to_one(shown):
    shares = [0.05, 0.44, 0.56, 0.91, 0.93, 1.0]
    chapter4.show_beliefs({(3, 0): shares, (4, 0): [0.8]})
    bars = shown[0].axes[0].patches
    assert abs(sum(bar.get_width() * bar.get_height() for bar in bars) - 1) < 1e-9
    beyond = [bar for bar in bars if bar.get_x() > 0.5 - 1e-9]
    assert {bar.get_facecolor() for bar in beyond}.isdisjoint(
        bar.get_facecolor() for bar in bars if bar not in beyond
    )
    assert abs(sum(bar.get_width() * bar.get_height() for bar in beyond) - 4 / 6) < 1e-9
    assert "3 to 0: 93.8% beyond one half, go on; 4 to 0: 96.9%" in shown[0].get_label()


def test_the_triangle_counts_what_is_computed_again(shown):
    chapter2.show_recomputation(prompt=4, new=7)
    # steps 2 to 7 read 4, 5, ... 9 tokens that were read before
    assert "10 squares are read for the first time, 39 are computed again" in shown[0].get_label()
    chapter2.show_recomputation(prompt=4, new=7, cached=True)
    assert "10 squares are read for the first time, 0 are computed again" in shown[1].get_label()


def test_a_cutout_of_the_places_is_marked_in_the_picture_and_in_words(shown):
    eight, four = ("8 bits:\n3 of 255", [-0.2, -0.1, 0.0]), ("4 bits:\n2 of 16", [-0.2, 0.1])
    chapter2.show_rounding([-0.2, 0.0, 0.1], eight, four)
    assert shown[0].axes[0].get_title().startswith("A cutout")
    assert "8 bits: 3 of 255; below, 4 bits: 2 of 16" in shown[0].get_label()


def test_an_arc_from_query_to_key_ends_in_an_arrowhead(shown):
    chapter2.show_rotation([(5, 2), (2, 5)], 0.45, 2.2)
    arrows = [patch for patch in shown[0].axes[0].patches if "Arrow" in type(patch).__name__]
    assert len(arrows) == 6  # in each circle a query, a key, and the arc


def test_drawings_of_chapter_3_fit_and_say_what_they_show(shown):
    chapter3.show_braces("{a}", [1, 1, 0])
    chapter3.show_strengths(["2", "*", "(x+1)", "^", "3"], {"*": 2, "^": 3})
    chapter3.show_wilson("Rates are kept", 10, {7: (0.4, 0.89), 10: (0.72, 1)})
    chapter3.show_tree("2x^2", ("*", "2", ("^", "x", "2")))
    chapter3.show_tree("-x", ("-", "x"))  # a minus sign has one side
    chapter3.show_curves("They meet once", {"x": lambda x: x, "2x": lambda x: 2 * x}, [0])
    shares = {"a": (1, (0.7, 1)), "b": (0.2, (0.1, 0.3)), "all": (0.8, (0.7, 0.9))}
    chapter3.show_intervals("One misses", shares)
    chapter3.show_levels("It falls", {"a": [(0.9, (0.8, 1)), (0.5, (0.4, 0.6))]})
    assert [figure.get_label() for figure in shown if beyond_the_edge(figure) > 0.01] == []
    _, strengths, wilson, *_, curves, intervals, levels = (figure.get_label() for figure in shown)
    assert "2 goes to *, (x+1) goes to ^ and not to *, 3 goes to ^" in strengths
    assert "2 goes to *, (x+1)^3 goes to *." in strengths
    assert "7 of 10: 40% to 89%; 10 of 10: 72% to 100%." in wilson
    assert "2x from -6 at -3 to 6 at 3. A dot where they meet, at x = 0." in curves
    assert "b 20%, from 10% to 30%, which misses; all 80%" in intervals
    assert "A dotted line stands at 80%." in intervals
    assert "a: 90%, 50%" in levels


def test_nothing_is_cut_off(shown):
    draw_all()
    assert len(shown) == 11
    assert [figure.get_label() for figure in shown if beyond_the_edge(figure) > 0.01] == []


def test_pictures_are_as_wide_as_a_column(shown):
    draw_all()
    assert {float(figure.bbox.width) for figure in shown} == {figure_style.WIDTH}


def test_charts_say_all_their_numbers(shown):
    draw_all()
    bars, lines, panels, *_, documents, rows, mask, text = (figure.get_label() for figure in shown)
    assert "plain 12 (10 to 14); packed 40" in bars
    assert "a from 1.0 at 0 to 2.0 at 1 to 4.0 at 2; b from 3.0 at 0 to 3.0 at 1" in lines
    assert "top, a level line at 9.0" in lines
    assert "ms: 1.0 at 1, 1.0 at 2, 2.0 at 4. per second: 1.0 at 1" in panels
    assert "Learnt: 1 of 4 tokens, 1 of 4 tokens of again." in documents
    assert "2 rows of 5 tokens: 40% learnt, 50% read, 10% empty" in rows
    assert "3 x 3 tokens: 2 triangles" in mask and "67% of what one document" in mask
    assert "'7' 0.25" in text and "mean: 0.70" in text


def test_a_framed_token_is_said_to_be_learnt_or_not(shown):
    texts = ["<think>", "5", "</think>", "8"]
    one, other = (texts, [True] * 4), (texts, [False, False, False, True])
    show_documents("One end is learnt", {"whole": one, "cut": other}, framed="</think>")
    words = shown[0].get_label()
    assert "4 of 4 tokens of whole (</think> is learnt), 1 of 4 tokens of cut (</think> is" in words
    assert words.endswith("cut (</think> is not learnt).")
    frames = [p for p in shown[0].axes[0].patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert len(frames) == 2 + 1  # one in the legend
    assert "</think>" in [text.get_text() for text in shown[0].findobj(Text)]
    assert beyond_the_edge(shown[0]) <= 0.01


def test_a_long_text_before_the_frame_is_drawn_as_dots_and_counted_whole(shown):
    texts = ["<think>", *"abcdefghijk", "</think>", "8"]
    some = [True, True, True, False] + [True] * 10
    for learnt in ([True] * 14, some):
        show_documents("One end", {"whole": (texts, learnt)}, framed="</think>")
    drawn = [[text.get_text() for text in figure.findobj(Text)] for figure in shown]
    assert "..." in drawn[0] and not set("bcdef") & set(drawn[0]) and set("aghijk") < set(drawn[0])
    assert "..." not in drawn[1] and set("abcdefghijk") < set(drawn[1])
    assert "Learnt: 14 of 14 tokens of whole" in shown[0].get_label()


def test_documents_with_names_run_on_where_a_text_has_a_line_end(shown):
    document, digits = (["4", "\n", "8"], [True] * 3), ("4", "8")
    show_documents("Broken", {"": document})
    show_documents("Not broken", {"whole": document})
    rows = [
        {text.get_position()[1] for text in figure.findobj(Text) if text.get_text() in digits}
        for figure in shown
    ]
    assert [len(heights) for heights in rows] == [2, 1]


def test_each_document_of_a_row_has_its_number_and_padding_has_none(shown):
    learnt = [[False, True, False, True, False]]
    show_rows("One row", [[0, 0, 1, 1, 2]], learnt)
    words = [text.get_text() for text in shown[0].findobj(Text)]
    assert [word for word in words if word.isdigit()] == ["0", "1"]


def test_a_mask_says_what_share_is_seen(shown):
    show_mask("Two documents", [[True, False, False], [True, True, False], [False, False, True]])
    words = [text.get_text() for text in shown[0].findobj(Text)]
    assert "blue: 67% of blue and grey" in words


def test_each_ground_of_a_mask_stands_in_its_legend(shown):
    show_mask("Two documents", [[True, False, False], [True, True, False], [False, False, True]])
    (axes,) = shown[0].axes
    grounds = {to_hex(tuple(colour)) for row in axes.images[0].get_array() for colour in row}
    legend = {to_hex(p.get_facecolor()) for p in axes.patches if p.get_fill()}
    assert grounds == legend


def test_a_doubling_is_equally_high_in_panels_with_logarithmic_axes(shown):
    show_line_panels("Doublings", [1, 2, 64], {"ms": [3, 3, 7], "s": [9, 20, 9000]}, "n", log="xy")
    spans = [high / low for low, high in (axes.get_ylim() for axes in shown[-1].axes)]
    assert spans == pytest.approx([spans[0]] * 2)


def test_the_map_marks_the_stations_that_a_chapter_builds(shown):
    for chapter in (2, 3, 4):
        show_map(chapter)
        words = [text.get_text() for text in shown[-1].findobj(Text)]
        built = [name for name, _, chapter_of_it in STATIONS if chapter_of_it == chapter]
        assert words.count("you are here") == len(built) >= 2
        assert f"builds {', '.join(built[:-1])} and {built[-1]}." in shown[-1].get_label()
        assert all(name in shown[-1].get_label() for name, _, _ in STATIONS)
    with pytest.raises(ValueError, match="expected 2, 3 or 4"):
        show_map(1)


@pytest.mark.parametrize("text", ["7", "a long line of text", "two\nlines that are long", "W" * 40])
def test_a_text_fits_into_its_box(shown, text):
    canvas = Canvas(10, 3)
    canvas.box(1, 1, 2, 1, text, BLUE)
    canvas.figure.draw_without_rendering()
    [box] = canvas.axes.patches
    [label] = canvas.axes.texts
    assert label.get_window_extent().width <= box.get_window_extent().width


def test_tokens_stand_side_by_side_and_show_their_spaces():
    canvas = Canvas(20, 2)
    end = canvas.tokens(1, 0, ["a", " is", "\n"], [BLUE, RED, PALE])
    extents = [patch.get_extents() for patch in canvas.axes.patches]
    assert all(left.x1 <= right.x0 for left, right in zip(extents, extents[1:], strict=False))
    assert [text.get_text() for text in canvas.axes.texts] == ["a", "\u00b7is", "\u21b5"]
    assert 1 < end < 20
    assert visible("a b\n") == "a\u00b7b\u21b5"


def test_a_tree_stays_within_its_width_and_its_boxes_apart():
    root = Node("*", [Node("2"), Node("^", [Node("+", [Node("x"), Node("1")]), Node("2")])])
    assert leaves(root) == 4
    canvas = Canvas(10, 8)
    canvas.tree(1, 0, 8, root)
    extents = [patch.get_extents() for patch in canvas.axes.patches]
    assert len(extents) == 7
    left, right = canvas.axes.transData.transform([(1, 0), (9, 0)])[:, 0]
    assert all(left <= box.x0 and box.x1 <= right for box in extents)
    apart = [
        one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
        for place, one in enumerate(extents)
        for other in extents[place + 1 :]
    ]
    assert all(apart)


def test_text_on_a_colour_has_contrast():
    def luminance(colour: str) -> float:
        parts = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in to_rgb(colour)
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    colours = [value for value in vars(figure_style).values() if re.match("#", str(value))]
    assert len(colours) == 7
    for colour in colours:
        light, dark = sorted((luminance(colour), luminance(ink_on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


def test_entries_of_a_key_do_not_cover_each_other():
    canvas = Canvas(24, 3)
    end = canvas.key(1, 1.5, {"a long meaning": BLUE, "short": PALE, "not there yet": None})
    canvas.figure.draw_without_rendering()
    drawn = [thing.get_window_extent() for thing in (*canvas.axes.patches, *canvas.axes.texts)]
    drawn.sort(key=lambda extent: extent.x0)
    assert len(drawn) == 6
    assert all(left.x1 < right.x0 for left, right in pairwise(drawn))
    assert drawn[-1].x1 < canvas.axes.transData.transform((end, 0))[0]
