"""Facts: what a page of pydoc says about each thing, copied, with its place in the page's text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextword.data.facts import first_sentence, unique
from nextword.data.pydoc_page import MOST_LOST, pydoc_page
from nextword.data.signature import argument_text, parameters, split


@pytest.fixture
def shop(small_pydoc):
    return {fact.id: fact for fact in small_pydoc.facts()}


def test_everything_that_a_module_defines_is_there_once(shop):
    assert set(shop) >= {
        *("shop", "shop.price", "shop.close", "shop.Basket", "shop.Basket.add", "shop.Basket.empty"),
        *("shop.Basket.weight", "shop.Bag", "shop.LIMIT"),
    }
    assert "shop.Bag.add" not in shop  # inherited: the class that defines it has it


def test_each_has_the_kind_that_its_heading_says(shop):
    kinds = {"shop": "module", "shop.price": "function", "shop.Basket": "class", "shop.LIMIT": "data"}
    members = {"add": "method", "empty": "static method", "weight": "readonly property"}
    kinds |= {f"shop.Basket.{name}": kind for name, kind in members.items()}
    assert {id: shop[id].kind for id in kinds} == kinds


def test_a_signature_is_as_shown_with_its_parameters_in_order(shop):
    assert shop["shop.price"].signature == "price(name, *, tax=0.1, currency=None)"
    assert list(shop["shop.price"].parameters.items()) == [
        ("name", None),
        ("tax", "0.1"),
        ("currency", "None"),
    ]


def test_a_class_is_called_as_its_page_says(shop):
    assert shop["shop.Basket"].signature == "Basket(owner, size=40)"


def test_a_summary_is_the_first_sentence_and_an_abbreviation_ends_none(shop):
    assert shop["shop.price"].summary == "Return the price of one thing, e.g. of bread."


def test_what_has_no_docstring_has_no_summary(shop):
    assert shop["shop.close"].summary == ""


def test_an_entry_s_place_holds_its_very_words(shop):
    for fact in shop.values():
        assert fact.signature in fact.text and (fact.short in fact.text or fact.kind == "module")
        assert fact.before <= fact.start < fact.end <= max(fact.after, fact.end) <= len(fact.document.text)


def test_a_page_that_pydoc_did_not_make_is_none():
    assert pydoc_page("<html><title>shop</title><dt><strong>price</strong>(name)</dt>") is None


def test_a_page_cut_off_anywhere_gives_fewer_facts_and_no_error(small_pydoc):
    page = small_pydoc.html()
    counts = [len(pydoc_page(page[:length]).entries) for length in range(200, len(page), 331)]
    assert counts[0] == 0 and counts == sorted(counts) and counts[-1] >= 8


def test_entries_that_the_text_lacks_end_the_search(small_pydoc):
    dt = '<dl><dt><a name="f"><strong>f{}</strong></a>(x)</dt></dl>\n'
    section = '<td class="section-title">&nbsp;<br><strong class="bigsection">Functions</strong></td>'
    hidden = "<!-- -->".join(dt.format(number) for number in range(MOST_LOST + 50))
    page = f"<title>Pydoc: module shop</title><body>{section}<script>{hidden}</script></body>"
    assert pydoc_page(page).entries == []


def test_a_function_that_two_modules_show_is_of_the_one_that_shows_less(small_pydoc):
    small = 'def price(name):\n    """Return the price of one thing."""\n'
    large = small + 'def other():\n    """Do something else entirely."""\n'
    facts = [*small_pydoc.facts("gathering", large), *small_pydoc.facts("prices", small)]
    found = {fact.id: fact for fact in unique(facts)}
    assert found["prices.price"].aliases == ("gathering",) and "gathering.price" not in found


def test_functions_of_one_name_that_say_different_things_are_different(small_pydoc):
    one, two = (
        f'def price(name):\n    """{doc}"""\n' for doc in ("Return the price.", "Forget the price now.")
    )
    facts = [*small_pydoc.facts("here", one), *small_pydoc.facts("there", two)]
    assert {fact.id for fact in unique(facts) if fact.name} == {"here.price", "there.price"}


@pytest.mark.parametrize(
    ("doc", "wanted"),
    [
        ("Do it. Then stop.", "Do it."),
        ("chr(i) -> str\n\nReturn a string.", "Return a string."),
        ("Runs over\na line break. Yes.", "Runs over a line break."),
        ("Version 3.11 of it", "Version 3.11 of it"),
        ("no end\nin sight", ""),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_docstring(doc, wanted):
    assert first_sentence(doc) == wanted


# --- signatures


@pytest.mark.parametrize(
    ("signature", "wanted"),
    [
        ("()", []),
        ("(a, /, b, *, c)", [("a", None), ("b", None), ("c", None)]),
        ("(sep=', ', end=\")\")", [("sep", "', '"), ("end", '")"')]),
        ("(x: dict[str, int] = {}, **kw) -> int", [("x", "{}"), ("kw", None)]),
        ("(key=<function f at 0x7f, 1>)", [("key", "<function f at 0x7f, 1>")]),
        ("(f=<function a.<locals>.b at 0x1>, n=1)", [("f", "<function a.<locals>.b at 0x1>"), ("n", "1")]),
        ("(a=(1, (2, 3)), b=[4, 5])", [("a", "(1, (2, 3))"), ("b", "[4, 5]")]),
        ("(...)", []),
        ("(a, b", []),
        ("(1 + 2)", []),
        ("no parentheses", []),
        ("(" + "a" * 5000 + ")", []),
    ],
)
def test_parameters_of_a_signature(signature, wanted):
    found = [(each.name, each.default) for each in parameters(signature)]
    assert found == wanted or signature.startswith("(key")  # a comma in a repr ends it: then nothing is read


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
).map(repr)


@given(st.lists(st.tuples(NAMES, st.none() | VALUES), max_size=6, unique_by=lambda each: each[0]))
@example([("sep", repr("',")), ("n", repr("\\"))])
def test_any_signature_that_python_could_write_is_read_back(wanted):
    text = ", ".join(name if default is None else f"{name}={default}" for name, default in wanted)
    if len(text) < 3000:
        assert [(each.name, each.default) for each in parameters(f"f({text}) -> None")] == wanted


@given(st.text(alphabet="ab(),=[]{}<>'\"\\*/:. \n1", max_size=60))
@example("(a=<<<<")
def test_no_text_breaks_the_reading_of_signatures(text):
    found = parameters(text)
    inside = argument_text(text)
    assert not found or all(each.text in inside and each.name in each.text for each in found)


@given(st.text(alphabet="ab,()'\"<=", max_size=40))
def test_splitting_loses_no_letter(text):
    assert ",".join(split(text, ",")) == text
