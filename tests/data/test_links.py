"""What a crawler sees of a page."""

from hypothesis import given
from hypothesis import strategies as st

from nextword.data.links import ErrorSample, Look, may_be_text

URL = "http://a.example/x/y.html"


def test_links_are_normal_and_each_comes_once():
    body = (
        b'<body><a href="b">1</a><A HREF=" b ">2</A><a href="mailto:x@y.z">3</a><a>4</a><a href="/c#d">5</a>'
    )
    assert Look.at(URL, body).links == ("http://a.example/x/b", "http://a.example/c")


def test_the_base_element_moves_the_links():
    assert Look.at(URL, b'<base href="/z/"><a href="b">').links == ("http://a.example/z/b",)


def test_links_in_comments_and_scripts_are_none():
    assert Look.at(URL, b'<!-- <a href="b"> --><script>"<a href=c>"</script>').links == ()


def test_the_title_is_read_in_the_declared_encoding():
    page = "<html><head><title>\n 다음  낱말 </title></head><body>본문</body></html>"
    assert Look.at(URL, page.encode("cp949"), "euc-kr").title == "다음 낱말"


def test_an_xml_declaration_does_no_harm():
    page = '<?xml version="1.0" encoding="euc-kr"?><html><head><title>제목</title></head></html>'
    assert Look.at(URL, page.encode("cp949"), "euc-kr").title == "제목"


def test_a_page_may_ask_not_to_be_kept_or_followed():
    look = Look.at(URL, b'<meta name="Robots" content="NOINDEX, nofollow"><a href=b>')
    assert not look.is_indexable
    assert not look.is_followable
    assert not Look.at(URL, b"<meta name=robots content=none>").is_indexable
    assert Look.at(URL, b"<meta name=robots content=all>").is_indexable


@given(st.binary(max_size=300))
def test_any_bytes_have_some_look(body):
    Look.at(URL, body)


@given(st.text("<>/ahref=\"'! -x", max_size=80))
def test_any_tag_soup_has_some_look(text):
    Look.at(URL, text.encode())


def page(title: str, text: str) -> Look:
    return Look.at(URL, f"<title>{title}</title><body><p>{text}</p>".encode())


PROBE = "http://a.example/no-such-page.html"


def test_a_page_titled_like_the_answer_for_a_missing_one_is_an_error_page():
    sample = ErrorSample.of(PROBE, page("Error - no-such-page.html", "ValueError: no object"))
    sample = sample.unlike("http://a.example/", page("Index", "welcome"))
    assert sample.fits(URL, page("Error - y.html", "ImportError: broken"))
    assert not sample.fits(URL, page("package y", "documentation"))


def test_a_page_that_reads_like_it_is_one_though_all_titles_are_the_same():
    sample = ErrorSample.of(PROBE, page("Our site", "Sorry, /no-such-page.html is gone"))
    sample = sample.unlike("http://a.example/", page("Our site", "welcome"))
    assert sample.fits(URL, page("Our site", "Sorry, /x/y.html is gone"))
    assert not sample.fits(URL, page("Our site", "A real page"))


def test_a_site_that_answers_everything_with_its_front_page_loses_nothing():
    front = page("Our site", "welcome")
    sample = ErrorSample.of(PROBE, front).unlike("http://a.example/", front)
    assert not sample.fits(URL, front)


def test_an_address_says_when_it_is_no_text():
    assert not may_be_text("http://a.example/b.PNG?x=1")
    assert may_be_text("http://a.example/b.html?x=.png")
    assert may_be_text("http://a.example/png")
