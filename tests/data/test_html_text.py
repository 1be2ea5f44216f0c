import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.data.html_text import html_text, tidy


def test_pre_keeps_its_layout():
    text = html_text("<p>Example:</p><pre>def f(x):\n    if x:\n        return 1\n</pre><p>After.</p>")
    assert "def f(x):\n    if x:\n        return 1\n" in text


def test_tabs_of_code_stay_and_tabs_between_cells_go():
    page = "<table><tr><td>a</td><td>b</td></tr></table><pre>all:\n\tcc x.c\n\t\t./x\n</pre>"
    assert html_text(page) == "a  b\nall:\n\tcc x.c\n\t\t./x"


def test_a_definition_is_indented_under_its_term():
    term, text = "<dt><strong>dumps</strong>(obj)</dt>", "<dd>Serialise <em>obj</em>.<br>Second line.</dd>"
    page = f"<dl>{term}{text}</dl><p>x</p>"
    assert html_text(page) == "dumps(obj)\n    Serialise obj.\n    Second line.\n\nx"


def test_definitions_without_end_tags_are_read_unindented():
    assert html_text("<dl><dt>a<dd>first<dt>b<dd>second</dl>").split() == ["a", "first", "b", "second"]


def test_menus_and_footers_are_left_out_of_a_page_with_furniture():
    page = (
        "<body><nav><ul><li><a href=/>Home</a></li><li><a href=/b>Blog</a></li></ul></nav><main><article>"
        "<h1>Title</h1><p>The article itself says something that is long enough to be its content.</p>"
        "</article></main><footer><p>Imprint and terms</p></footer></body>"
    )
    assert html_text(page).split("\n")[0] == "Title"
    assert "Imprint" not in html_text(page) and "Home" in html_text(page, whole_page=True)


def test_content_in_a_handlebars_template_is_found():
    page = '<script type="text/x-handlebars-template"><h1>Kafka</h1><p>An {{title}} engine.</p></script>'
    assert html_text(page) == "Kafka\n\nAn engine."


@pytest.mark.parametrize(
    "page",
    [
        "<script>var secret = 1</script><style>p { color: red }</style>",
        "<!-- only a comment -->",
        "",
        "<html><head><title>t</title></head></html>",
    ],
)
def test_scripts_styles_and_comments_are_not_text(page):
    assert html_text(page) == ""


def test_paths_on_the_servers_disk_are_dropped():
    page = '<p>index <a href="file:/home/me/json.py">/home/me/json.py</a></p><p>JSON</p>'
    assert "/home/me" not in html_text(page)


def test_permalink_marks_beside_headings_are_dropped():
    assert html_text('<h2>텐서<a class="headerlink" href="#t">#</a></h2><p>본문</p>') == "텐서\n\n본문"


def test_deeply_nested_markup_is_survived():
    assert "deep" in html_text("<div>" * 20_000 + "deep")


def test_decomposed_hangul_is_composed():
    assert tidy("\u1112\u1161\u11ab글") == "한글"


@given(st.text())
def test_tidying_twice_changes_nothing(text):
    assert tidy(tidy(text)) == tidy(text)


@given(st.text())
def test_any_text_is_taken_for_html_without_an_error(text):
    assert "\x00" not in html_text(text)


@pytest.mark.timeout(60)  # quadratic work on these would take hours
@pytest.mark.parametrize(
    "part", ['<script type="text/x-template">', "\t\t<pre", "<dd>", "<a ", '<div class="content">', "{{"]
)
def test_a_page_made_to_stall_the_reader_does_not(part):
    assert isinstance(html_text(part * 100_000 + "</script></pre><p>end</p>"), str)
