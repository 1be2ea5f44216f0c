"""Search: the right passage first, in Korean and English, and an index that stays true as pages change."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.records import Document
from nextword.tools.index_file import VERSION
from nextword.tools.passages import LENGTH, opened_at, passages
from nextword.tools.search import SOME, Index, title_of
from nextword.tools.terms import asked_terms, terms

JSON = """json (version 2.0.9)  index

JSON is a subset of JavaScript syntax.

    >>> json.dumps(['foo'])

dump(obj, fp)
    Serialize obj as a JSON formatted stream to fp.

dumps(obj, *, skipkeys=False)
    Serialize obj to a JSON formatted str.
"""
KOREAN = """# 언어 모델

언어 모델은 지금까지의 글을 보고 다음 단어를 예측합니다.

# 검색

검색 색인은 쪽을 짧은 구절로 나눕니다.
"""


def document(text, url="http://a/json.html", **meta):
    return Document.of(text, url, **meta)


@pytest.fixture
def index(tmp_path):
    with Index.build([document(JSON), document(KOREAN, "http://a/ko.html")], tmp_path / "search.db") as built:
        yield built


def pydoc(title, *entries):
    return f"{title} (version 1)  index\n\nFunctions\n\n" + "\n\n".join(entries)


def test_an_entry_asked_for_by_its_whole_name_comes_first(tmp_path):
    others = [f"{letter}_thing(x)\n    Do {letter}." for letter in "abcdefgh"]
    calls = ["save(x)\n    store.save: call store.save.", "store_save(x)\n    call: store.save."]
    pages = [
        document(pydoc("store", *others, "save(file, data)\n    Write it."), "http://a/store.html"),
        document(pydoc("store.lib", *calls), "http://a/lib.html"),
    ]
    with Index.build(pages, tmp_path / "search.db") as built:
        for question in ("How do I call store.save?", "store.save는 어떻게 호출하나요?"):
            assert built.search(question, 1)[0].text.startswith("save(file, data)")


def test_a_name_with_the_module_that_took_it_finds_the_entry_where_it_stands(tmp_path):
    pages = [
        document(pydoc("shop", "class Till(Box)", "count(self, coins)\n    Count them."), "http://a/shop.html"),
        document(pydoc("shop.till", "add(x)\n    What shop.till.Till.count counts: shop.till.Till.count."), "http://a/till.html"),
    ]  # fmt: skip
    with Index.build(pages, tmp_path / "search.db") as built:
        assert built.search("What does shop.till.Till.count do?", 1)[0].text.startswith("count(self, coins)")


def test_a_word_of_the_question_is_not_taken_for_a_name(tmp_path):
    pages = [document("# Prompt\n\nHow to write one."), document(pydoc("rich.prompt", "class Prompt(Base)"))]
    with Index.build(pages, tmp_path / "search.db") as built:
        scores = [hit.score for hit in built.search("Where do I import Prompt from?", 2)]
        assert max(scores) < 2 * min(scores)  # neither is raised above the other


def test_the_tree_of_classes_defines_none_of_them(tmp_path):
    tree = (
        "Classes\n\nBase(builtins.object)\n    Url(Base, Mixin)\n\nclass Url(Base, Mixin)\nUrl(scheme, host)"
    )
    with Index.build([document(f"web (version 1)  index\n\n{tree}")], tmp_path / "search.db") as built:
        assert built.search("What is the signature of web.Url?", 1)[0].text.startswith(
            "class Url(Base, Mixin)"
        )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What does json.dumps do?", "JSON formatted str."),
        ("json.dumps는 무엇을 하나요?", "JSON formatted str."),
        ("What does dump do?", "formatted stream"),
        ("언어 모델은 무엇을 예측하나요?", "다음 단어를 예측합니다."),
        ("색인은 쪽을 어떻게 나누나요?", "짧은 구절"),
    ],
)
def test_the_passage_that_answers_comes_first(index, question, answer):
    assert answer in index.search(question, 1)[0].text


PATHS = """pathlib  index

Classes

class Path(PurePath)
Path(*args)

    A path of this system.

Methods defined here:
exists(self)
    Whether this path exists.

Class methods defined here:
cwd()
    The current directory.

name
    The last part.

class Other(builtins.object)
exists(self)
    Whether the other exists.

Functions
exists(path)
    A function.
"""


@pytest.mark.parametrize(
    ("question", "text", "heading"),
    [
        ("What does pathlib.Path.exists do?", "Whether this path exists.", "Methods defined here:"),
        ("pathlib.Other.exists는 무엇을 하나요?", "Whether the other exists.", ""),
        ("What is pathlib.Path.cwd?", "The current directory.", "Class methods defined here:"),
        ("What is pathlib.Path.name?", "The last part.", "Class methods defined here:"),
        ("What does the function pathlib.exists do?", "A function.", "Functions"),
    ],
)
def test_a_member_is_found_by_its_class_and_stands_under_its_heading(tmp_path, question, text, heading):
    pages = passages(PATHS, 60)
    of = {name: PATHS[one.start : one.end] for one in pages for name in one.names}
    assert {"Path", "Path.exists", "Path.cwd", "Path.name", "Other", "Other.exists", "exists"} <= set(of)
    cut = next(one for one in passages(PATHS, 60) if text in PATHS[one.start : one.end])
    assert not heading or heading in (cut.heading, *PATHS[cut.start : cut.end].splitlines())
    with Index.build([document(PATHS, "http://a/pathlib.html")], tmp_path / "search.db") as index:
        assert text in index.search(question, 1)[0].text


LONG = "oven (version 1)  index\n\nMethods defined here:\n" + "".join(
    f"bake{n}(self, heat)\n    Bake it in way {n}.\n\n" for n in range(30)
)


@pytest.mark.parametrize("asked", ["bake7", "oven.bake7"])
def test_a_hit_begins_with_the_entry_that_is_asked_for_and_goes_on_as_far_as_a_passage(tmp_path, asked):
    with Index.build([document(LONG)], tmp_path / "search.db") as index:
        (hit,) = index.search(f"What does {asked} do?", 1)
    assert hit.text.startswith("bake7(self, heat)\n    Bake it in way 7.")
    assert hit.heading == "Methods defined here:"
    assert hit.text == LONG[hit.start : hit.end] and LONG[hit.end] == "\n"
    assert LENGTH - 40 < len(hit.text) <= LENGTH


def test_a_question_that_names_no_entry_gets_the_passage_as_it_stands(tmp_path):
    with Index.build([document(LONG)], tmp_path / "search.db") as index:
        (hit,) = index.search("Bake it in which way, 7?", 1)
        whole = {(one.start, one.end) for one in passages(LONG)}
    assert (hit.start, hit.end) in whole


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("ab\ncd\nef\n", 0, 5), ("ab\ncd\n", 3, 6), ("a" * 30 + "\nb", 0, 30), ("ab", 0, 2)],
)
def test_a_passage_opened_anywhere_ends_with_a_line(text, start, end):
    assert opened_at(text, start, 6) == end


def test_a_head_is_not_parted_from_what_it_is_about():
    text = "\n\n".join(["Long " + "words " * 60, "set_state(new)", "Sets the state. " * 12])
    assert [one.names for one in passages(text, 300)] == [(), ("set_state",)]


def test_a_class_stands_under_no_heading_of_the_one_before():
    tin = "Methods inherited from Tin:\nbake(self)\n    Bake.\n\n"
    text = f"{tin}class Oven(Tin)\nHot.\n\ncool(self)\n    Cool.\n"
    headings = {entry.name: entry.heading for one in passages(text, 30) for entry in one.entries}
    assert headings == {"bake": "Methods inherited from Tin:", "Oven": "", "Oven.cool": ""}


@pytest.mark.parametrize(
    ("heading", "entries"),
    [("Data descriptors defined here:", ["heat", "glass", "door"]), ("Methods defined here:", ["glass"])],
)
def test_properties_of_which_nothing_is_said_are_entries_where_properties_stand(heading, entries):
    text = f"{heading}\nheat\nglass\n    What one looks through.\n\ndoor\n"
    assert [entry.name for one in passages(text) for entry in one.entries] == entries


def test_korean_words_do_not_outweigh_the_name_in_a_question(tmp_path):
    korean = "언어 모델\n\n어느 모듈에서 함수를 찾을 수 있는지 문서에서 찾을 수 있습니다.\n"
    english = [f"topic {n}\n\nThe function poly2cheb converts {n} coefficients." for n in range(3)]
    others = [f"topic {n}\n\nSomething else is explained here at length." for n in range(40)]
    pages = [document(text, f"http://b/{n}.html") for n, text in enumerate([korean, *english, *others])]
    with Index.build(pages, tmp_path / "search.db") as index:
        hits = index.search("어느 모듈에서 poly2cheb 함수를 찾을 수 있나요?", 4)
    assert ["poly2cheb" in hit.text for hit in hits] == [True, True, True, False]


def test_a_hit_is_a_place_in_its_page(index):
    hit = index.search("dumps", 1)[0]
    assert index.page(hit.document)[hit.start : hit.end] == hit.text
    assert (hit.url, hit.title) == ("http://a/json.html", "json (version 2.0.9)  index")


@pytest.mark.parametrize(
    "question", ["", "   ", "???", "zzzz", '"', "a OR (b", "NEAR(", "*", "col:umn", "\x00"]
)
def test_a_question_that_matches_nothing_or_is_no_query_finds_nothing(index, question):
    assert index.search(question) == []


def test_adding_the_same_pages_again_changes_nothing(index):
    assert index.add([document(JSON), document(KOREAN, "http://a/ko.html")]) == 0
    assert len(index) == 2


def test_a_changed_page_is_found_by_its_new_words_only(index):
    assert index.add([document("json\n\nloads(s)\n    Deserialize s.\n")]) == 1
    assert index.search("dumps") == []
    assert "Deserialize" in index.search("json.loads", 1)[0].text
    assert len(index) == 2


def test_an_index_lasts(index):
    with Index.open(index.path) as again:
        assert again.search("json.dumps", 1)[0].text == index.search("json.dumps", 1)[0].text


def test_what_is_no_index_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no search index here"):
        Index.open(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(Corrupt, match="not a search index"):
        Index.open(tmp_path / "text.db")


def test_building_that_was_killed_at_the_start_begins_again(tmp_path):
    (tmp_path / "search.db").touch()
    with Index.build([document(JSON)], tmp_path / "search.db") as built:
        assert len(built) == 1


def broken():
    yield document(JSON)
    raise BadInput("the second record is damaged")


def test_a_first_build_that_fails_leaves_no_index_to_be_asked(tmp_path):
    with pytest.raises(BadInput, match="damaged"):
        Index.build(broken(), tmp_path / "search.db")
    with pytest.raises(BadInput, match="no search index here"):
        Index.open(tmp_path / "search.db")


def test_a_later_build_that_fails_leaves_the_index_as_it_was(index):
    with pytest.raises(BadInput, match="damaged"):
        Index.build(broken(), index.path)
    assert len(index) == 2 and index.search("언어 모델", 1)


def test_an_index_without_pages_is_not_one_to_ask(tmp_path):
    Index.build([], tmp_path / "search.db").close()
    with pytest.raises(BadInput, match=r"search\.db: this search index has no pages; index some"):
        Index.open(tmp_path / "search.db")


@pytest.fixture
def old(tmp_path):
    """An index as version 4 wrote them."""
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
        for statement in (
            "create table about (version integer not null)",
            "create table page (number integer primary key, id text unique not null, text text not null)",
            "create table passage (number integer primary key, page integer not null)",
            "create index passage_of_page on passage(page)",
            "create virtual table term using fts5(title, names, text, content='')",
            "insert into about values (4)",
            "insert into page values (1, 'gone', 'gone')",
            "insert into term(rowid, title, names, text) values (1, 'json', 'json.dumps', 'gone')",
        ):
            connection.execute(statement)
    return tmp_path / "old.db"


def test_an_index_of_another_version_is_refused_to_who_asks_and_built_anew_by_who_builds(old):
    with pytest.raises(Corrupt, match=f"an index of version 4, expected {VERSION}; build it again"):
        Index.open(old)
    with Index.build([document(JSON)], old) as built:
        assert (len(built), built.page("gone")) == (1, None)
        assert "JSON formatted str." in built.search("json.dumps", 1)[0].text


def test_some_more_pages_do_not_replace_an_index_of_another_version(old):
    with pytest.raises(Corrupt, match="remove it, and index again all that it held"):
        Index.build([document(JSON)], old, source=SOME)
    with contextlib.closing(sqlite3.connect(old)) as connection:
        assert connection.execute("select id from page").fetchall() == [("gone",)]


def test_a_build_that_fails_leaves_the_index_of_another_version(old):
    with pytest.raises(BadInput, match="damaged"):
        Index.build(broken(), old)
    with pytest.raises(Corrupt, match="an index of version 4"):
        Index.open(old)


def test_what_is_no_index_is_not_replaced(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "diary.db")) as connection, connection:
        connection.execute("create table day (text text)")
    before = (tmp_path / "diary.db").read_bytes()
    with pytest.raises(Corrupt, match="not a search index"):
        Index.build([document(JSON)], tmp_path / "diary.db")
    assert (tmp_path / "diary.db").read_bytes() == before


def test_pages_that_a_crawl_no_longer_has_are_forgotten(index):
    Index.build([document(KOREAN, "http://a/ko.html")], index.path).close()
    assert len(index) == 1
    assert index.search("json.dumps") == []
    assert index.search("언어 모델", 1)


def test_pages_from_elsewhere_stay_when_a_crawl_is_indexed_again(index):
    index.add([document("oven\n\nbake(dough)\n", "http://b/oven.html")])
    Index.build([document(PATHS, "http://c/pathlib.html")], index.path, source="../other/clean").close()
    Index.build([document(JSON)], index.path).close()
    assert len(index) == 3
    assert [index.search(one, 1)[0].url for one in ("bake", "cwd")] == [
        "http://b/oven.html",
        "http://c/pathlib.html",
    ]


def test_a_page_of_a_crawl_stays_its_own_when_it_comes_again_among_some_more(index):
    index.add([document(JSON), document(KOREAN + "\n끝.\n", "http://a/ko.html")])
    Index.build([document(PATHS, "http://c/pathlib.html")], index.path).close()
    assert len(index) == 1


def test_an_index_that_another_program_writes_is_said_to_be(index):
    index.close()
    with contextlib.closing(sqlite3.connect(index.path)) as other:
        other.execute("begin exclusive")
        waiting = Index(index.path, sqlite3.connect(index.path, timeout=0))
        for work in (lambda: waiting.add([document(JSON)]), lambda: waiting.search("json")):
            with pytest.raises(Failure, match="another program is writing this index; try again when"):
                work()
        waiting.close()


def test_an_index_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "search.db").mkdir()
    with pytest.raises(Failure, match=r"cannot be written .*; free some space, or choose a folder"):
        Index.build([document(JSON)], tmp_path / "search.db")


@settings(max_examples=40)
@given(
    some.lists(
        some.sampled_from(["bake(a)\n", "  Bake it, 굽기 🙂.\n", "\n", "x\0y\n", "tin = 1\n"]), max_size=60
    )
)
def test_every_hit_is_cut_as_a_passage_opened_there_would_be(lines):
    text = "oven (version 1)  index\n\n" + "".join(lines)
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.build([document(text)], Path(folder, "i.db")) as index,
    ):
        held = index.page(document(text).id)
        for hit in index.search("What is oven.bake, oven.tin?", 9):
            assert hit.text == held[hit.start : hit.end]
            cut = {one.start: one.end for one in passages(held)}
            assert hit.end in (opened_at(held, hit.start), cut.get(hit.start))


def test_a_hit_reads_its_passage_and_not_the_whole_page(tmp_path):
    page = document("x" * 2_000_000 + "\n\nbake(dough)\n    Bake it.\n")
    with Index.build([page], tmp_path / "search.db") as index:
        tracemalloc.start()
        try:
            (hit,) = index.search("What does bake do?", 1)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert hit.text == "bake(dough)\n    Bake it.\n" and most < 200_000


def test_a_title_is_the_meta_s_or_the_first_line():
    assert title_of(document("x", title="Named")) == "Named"
    assert title_of(document("\n# Heading\ntext")) == "Heading"
    assert title_of(document(" \n")) == "http://a/json.html"


@given(some.text(max_size=3000), some.integers(20, 400))
def test_passages_hold_every_line_once_and_in_order(text, length):
    found = list(passages(text, length))
    assert all(one.start < one.end for one in found)
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))
    covered = "".join(text[one.start : one.end] for one in found)
    assert covered.split() == text.split()


def test_a_passage_begins_with_what_it_is_about():
    text = "".join(f"name{n}(a, b)\n    {'word ' * 60}\n\n" for n in range(9))
    found = list(passages(text))
    assert all(text[one.start : one.end].startswith(one.names[0]) for one in found)
    assert all(one.end - one.start <= LENGTH for one in found)


def test_a_line_that_never_ends_is_one_passage():
    assert [(one.start, one.end) for one in passages("x" * 5000)] == [(0, 5000)]


def test_names_are_found_whole_and_by_their_parts():
    assert list(terms("json.JSONEncoder max_workers")) == [
        *("json.jsonencoder", "json", "jsonencoder"),
        *("max_workers", "max", "workers"),
    ]


def test_korean_is_cut_into_pairs_and_its_particles_after_a_name_are_dropped():
    assert list(terms("언어모델은 말")) == ["언어", "어모", "모델", "델은", "말"]
    assert asked_terms("dumps는 무엇을 하나요?") == ["dumps"]


def test_a_question_of_common_words_alone_keeps_them():
    assert asked_terms("what is it") == ["what", "is", "it"]


@given(some.text())
def test_any_text_has_terms_that_the_index_can_hold(text):
    assert all(term and not set(term) & set('" \n') for term in terms(text))
