import json
import random
import resource
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.records import digest, is_held_out, read_documents, read_records
from nextword.data.archive import ArchiveWriter
from nextword.data.clean import CleanSettings, clean
from nextword.data.own_text import own_documents

SETTINGS = CleanSettings(own_text=False, workers=1)
TOPICS = (
    "files",
    "sockets",
    "threads",
    "queues",
    "dates",
    "numbers",
    "strings",
    "archives",
    "errors",
    "tests",
)
WORDS = {
    "en": (
        "the of and to that have with be in it for not on as you do at this but his by from they we say "
        "her she or an will my one all would there their what so up out if about who get which go me when "
        "make can like time no just him know take people into year your good some could them see other "
        "than then now look only come its over think also back after use two how our work first well way "
        "even new want because any these give day most us function value file thread module error class "
        "method object string number table index window buffer socket packet"
    ),
    "ko": (
        "이 그 저 것은 수가 있는 없는 함수는 값을 읽고 돌려주며 파일이 열리면 오류를 알리고 "
        "스레드는 기다립니다 모듈을 불러온 다음에는 반드시 닫아야 하고 순서대로 처리하면 결과가 "
        "나옵니다 사용자는 이름을 정하고 기본값은 비어 있으며 예제를 보면 쉽게 알 수 있습니다 "
        "먼저 설정을 고치고 나중에 다시 시작하세요 자료는 그대로 남고 기록도 지워지지 않습니다"
    ),
    "zh": (
        "这个函数读取文件并返回其中的值如果损坏就会引发错误任何情况下都关闭线程可以同时调用因为它不保存自己状"
        "态除非你也写入路径锁才有必要"
    ),
    "fr": (
        "le la les de des et que pour dans une fonction qui renvoie cette valeur avec plusieurs fichiers "
        "sur notre site vous pouvez appeler sans erreur depuis votre programme mais il faut toujours "
        "fermer ensuite chaque objet ouvert"
    ),
}


def sentences(seed, lang="en", count=8):
    """Random sentences, the same for the same seed: like prose in its words, unlike any other page."""
    words, gap, stop = (list(WORDS["zh"]), "", "。") if lang == "zh" else (WORDS[lang].split(), " ", ".")
    draw = random.Random(seed)
    return [(gap.join(draw.choices(words, k=18)) + stop).capitalize() for _ in range(count)]


def article(seed, lang="en", count=8, separator="</p><p>"):
    return f"<html><body><h1>{seed}</h1><p>{separator.join(sentences(seed, lang, count))}</p></body></html>"


def crawl_of(folder, pages):
    """A finished crawl of {address: HTML, or (content type, bytes)}."""
    with ArchiveWriter(folder) as archive:
        for url, page in pages.items():
            kind, body = page if isinstance(page, tuple) else ("text/html; charset=utf-8", page.encode())
            archive.response(url, 200, {"Content-Type": kind}, body)
    return folder


def ordinary_pages():
    return {f"http://a.test/{topic}.html": article(topic) for topic in TOPICS}


def kept(folder):
    return {
        document.url: document
        for split in ("train", "heldout")
        for document in read_documents(folder / f"{split}.jsonl.zst")
    }


def dropped(folder):
    return {record["url"]: record for record in read_records(folder / "dropped.jsonl.zst")}


@pytest.fixture
def cleaned(tmp_path):
    """Clean pages (with ordinary ones beside them): what was kept, what was dropped, the summary."""

    def run(pages, **changes):
        crawl = crawl_of(tmp_path / "crawl", {**ordinary_pages(), **pages})
        summary = clean(replace(SETTINGS, **changes), crawl, tmp_path / "clean")
        return kept(tmp_path / "clean"), dropped(tmp_path / "clean"), summary

    return run


def test_korean_chinese_and_english_survive(cleaned):
    pages, gone, summary = cleaned(
        {
            "http://a.test/ko": article("나무", "ko"),
            "http://a.test/zh": article("树木", "zh"),
            "http://a.test/en": article("trees"),
        }
    )
    assert gone == {}
    assert [pages[f"http://a.test/{lang}"].lang for lang in ("ko", "zh", "en")] == ["ko", "zh", "en"]
    assert set(summary.languages) == {"ko", "zh", "en"}


def test_a_document_carries_its_provenance(cleaned):
    pages, _, _ = cleaned({"http://a.test/en": article("trees")})
    document = pages["http://a.test/en"]
    assert document.id == digest("http://a.test/en")[:16] and document.sha256 == digest(document.text)
    assert document.fetched.endswith("Z") or "+00:00" in document.fetched
    assert document.meta["encoding"] == "utf-8"


def test_other_languages_are_dropped_unless_asked_for(cleaned):
    _, gone, _ = cleaned({"http://a.test/fr": article("arbres", "fr")})
    assert (gone["http://a.test/fr"]["step"], gone["http://a.test/fr"]["reason"]) == ("language", "fr")


def test_no_languages_asked_for_keeps_them_all(cleaned):
    pages, _, _ = cleaned({"http://a.test/fr": article("arbres", "fr")}, languages=())
    assert pages["http://a.test/fr"].lang == "fr"


def test_an_unknown_encoding_is_named(cleaned):
    _, gone, _ = cleaned({"http://a.test/x": ("text/html; charset=x-martian", b"\x00\x01\xfe" * 400)})
    assert gone["http://a.test/x"]["reason"] == "unknown encoding"


def test_a_picture_is_named_with_its_kind(cleaned):
    _, gone, _ = cleaned({"http://a.test/x.png": ("image/png", b"\x89PNG\r\n")})
    assert gone["http://a.test/x.png"]["reason"] == "not text (image/png)"


def test_a_korean_page_in_euc_kr_is_read(cleaned):
    page = article("나무", "ko").encode("cp949")
    pages, _, summary = cleaned({"http://a.test/ko": ("text/html; charset=euc-kr", page)})
    assert sentences("나무", "ko")[0] in pages["http://a.test/ko"].text and summary.encodings["cp949"] == 1


def test_plain_text_is_taken_as_it_is(cleaned):
    text = "A <b>bold</b> &amp; plain line.\n\n" + "\n\n".join(sentences("plain"))
    pages, _, _ = cleaned({"file:///notes/a.txt": ("text/plain", text.encode())})
    assert pages["file:///notes/a.txt"].text == text


def test_an_exact_copy_goes_though_its_layout_differs(cleaned):
    copy = article("files", separator="<br>\n   ").replace("<h1>", "<h2>")
    _, gone, _ = cleaned({"http://b.test/copy": copy})
    assert gone["http://b.test/copy"]["step"] == "exact"


def test_a_copy_with_one_changed_line_goes(cleaned):
    page = article("versions", count=30)
    _, gone, _ = cleaned(
        {"http://a.test/1.0": page, "http://a.test/1.1": page.replace(" number ", " figure ", 1)}
    )
    assert (gone["http://a.test/1.1"]["step"], set(gone)) == ("seen", {"http://a.test/1.1"})


def test_a_large_page_with_little_new_keeps_what_is_new(cleaned):
    page, own = article("inherited", count=600), "</p><p>".join(sentences("own", count=24))
    pages, gone, _ = cleaned(
        {"http://a.test/base": page, "http://a.test/sub": page.replace("</body>", f"<p>{own}")}
    )
    assert gone == {} and pages["http://a.test/sub"].text.split("\n\n") == sentences("own", count=24)


def test_a_near_duplicate_goes_and_names_its_twin(cleaned):
    page, reflowed = article("versions", count=30), article("versions", count=30, separator=" ")
    pages, gone, _ = cleaned(
        {"http://a.test/1.0": page, "http://a.test/1.1": reflowed.replace(" number ", " figure ", 1)}
    )
    twins = {"http://a.test/1.0", "http://a.test/1.1"}
    (lost,) = twins & set(gone)
    assert gone[lost]["step"] == "near" and {gone[lost]["twin"]} == twins & set(pages)


def test_a_chinese_near_duplicate_goes(cleaned):
    page, reflowed = article("树木", "zh", 30), article("树木", "zh", 30, separator="")
    _, gone, _ = cleaned({"http://a.test/1": page, "http://a.test/2": reflowed.replace("文", "档", 2)})
    assert [record["step"] for record in gone.values()] == ["near"]


def test_pages_that_share_only_a_template_are_not_duplicates(cleaned):
    _, gone, _ = cleaned({})
    assert gone == {}


def test_without_near_duplicates_both_stay(cleaned):
    page = article("versions", count=30)
    other = page.replace(" number ", " figure ", 1)
    _, gone, _ = cleaned(
        {"http://a.test/1.0": page, "http://a.test/1.1": other}, near_duplicates=False, repeated_lines=False
    )
    assert gone == {}


def test_a_paragraph_on_every_page_stays_on_one(cleaned):
    notice = "<p>These pages belong to the makers of the module, who wrote every one of them by hand.</p>"
    pages, _, summary = cleaned(
        {f"http://n.test/{topic}": article(f"{topic} again").replace("</body>", notice) for topic in TOPICS}
    )
    assert sum("by hand" in document.text for document in pages.values()) == 1
    assert summary.repeated_lines == len(TOPICS) - 1
    assert summary.unique_before < summary.unique_after == 1.0


def test_a_page_with_nothing_new_goes(cleaned):
    parts = [article("leaves"), article("roots")]
    both = "".join(parts).replace("</body></html><html><body>", "")
    pages = {"http://a.test/1": parts[0], "http://a.test/2": parts[1], "http://a.test/3": both}
    _, gone, _ = cleaned(pages, near_duplicates=False)
    assert gone["http://a.test/3"]["reason"] == "nothing new left"


def test_masking_is_done_when_asked_for(cleaned):
    page = article("contact").replace(
        "</body>", "<p>Write to kim@mail.co.kr or call 010-1234-5678.</p></body>"
    )
    pages, _, summary = cleaned({"http://a.test/c": page}, mask=True)
    assert pages["http://a.test/c"].text.endswith("Write to <email> or call <phone>.")
    assert summary.masked == {"email": 1, "phone": 1, "resident": 0}


def test_without_masking_addresses_stay(cleaned):
    page = article("contact").replace(
        "</body>", "<p>Write to kim@mail.co.kr or call 010-1234-5678.</p></body>"
    )
    pages, _, _ = cleaned({"http://a.test/c": page})
    assert "kim@mail.co.kr" in pages["http://a.test/c"].text


def test_our_own_text_joins_when_asked_for(cleaned):
    pages, _, summary = cleaned({}, own_text=True)
    assert any(url.startswith("nextword:///docs/ko/") for url in pages) and "ko" in summary.languages


def test_our_own_text_is_all_kept_beside_a_crawl(cleaned):
    pages, _, summary = cleaned({}, own_text=True)
    ours = {document.url for document in own_documents()}
    assert (
        ours <= set(pages) and summary.own_documents == len(ours) == summary.train_own + summary.heldout_own
    )


def test_our_own_text_that_outweighs_the_source_is_a_warning_with_its_remedy(cleaned):
    *_, summary = cleaned({}, own_text=True)
    assert "0.0 MB" not in str(summary) and " kB of text; with nextword's own" in str(summary)
    assert str(summary).splitlines()[-1].startswith("warning: nextword's own text (")
    assert summary.warning.endswith("--no-own-text leaves it out")
    enough = replace(summary, text_bytes=summary.own_bytes)
    assert not enough.warning and "warning" not in str(enough)


def test_our_own_text_alone_is_not_enough(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", {f"http://a.test/{n}": f"<p>Page {n}.</p>" for n in range(5)})
    with pytest.raises(
        BadInput, match=r"nothing is left .* of 5 pages: step `quality` dropped 5, most because"
    ):
        clean(replace(SETTINGS, own_text=True), crawl, tmp_path / "clean")


def test_our_own_text_is_not_counted_among_the_pages_that_went(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", {"http://a.test/1": "<p>A page."})
    with pytest.raises(BadInput, match=r"of 1 page: step `language` dropped 1"):
        clean(replace(SETTINGS, own_text=True, languages=("fr",)), crawl, tmp_path / "clean")


def test_a_source_that_holds_our_own_docs_is_kept_in_place_of_ours(tmp_path):
    copies = {
        f"file:///copy/{number}.md": ("text/markdown", document.text.encode())
        for number, document in enumerate(own_documents())
    }
    summary = clean(
        replace(SETTINGS, own_text=True), crawl_of(tmp_path / "crawl", copies), tmp_path / "clean"
    )
    assert set(kept(tmp_path / "clean")) == set(copies)
    assert set(dropped(tmp_path / "clean")) == {document.url for document in own_documents()}
    assert summary.train_own == summary.heldout_own == 0


def test_a_crawl_of_one_page_is_trained_on_whatever_its_address(tmp_path):
    addresses = (f"http://a.test/{number}" for number in range(10**6))
    address = next(url for url in addresses if is_held_out(digest(url)[:16], 5))
    crawl = crawl_of(tmp_path / "crawl", {address: article("oaks")})
    summary = clean(replace(SETTINGS, own_text=True), crawl, tmp_path / "clean")
    assert address in {document.url for document in read_documents(tmp_path / "clean" / "train.jsonl.zst")}
    assert summary.heldout_documents == summary.heldout_own > 0


def test_a_page_that_says_it_is_ours_is_judged_like_any_other(tmp_path):
    with ArchiveWriter(tmp_path / "crawl") as archive:
        for url, page in {**ordinary_pages(), "http://b.test/": "<p>Buy now.</p>"}.items():
            archive.response(url, 200, {"Content-Type": "text/html"}, page.encode(), source="nextword")
    clean(SETTINGS, tmp_path / "crawl", tmp_path / "clean")
    assert dropped(tmp_path / "clean")["http://b.test/"]["reason"] == "too few words"


def test_the_split_is_by_the_hash_of_the_id(cleaned, tmp_path):
    cleaned({f"http://a.test/{n}/{topic}": article(f"{topic}{n}") for n in range(9) for topic in TOPICS})
    held = list(read_documents(tmp_path / "clean" / "heldout.jsonl.zst"))
    train = list(read_documents(tmp_path / "clean" / "train.jsonl.zst"))
    assert held and all(is_held_out(document.id, 5) for document in held)
    assert not any(is_held_out(document.id, 5) for document in train)


def test_a_small_crawl_still_holds_one_document_out(tmp_path):
    pages = {"http://a.test/1": article("oaks"), "http://a.test/2": article("elms")}
    summary = clean(replace(SETTINGS, heldout_percent=1e-6), crawl_of(tmp_path / "c", pages), tmp_path / "o")
    assert (summary.train_documents, summary.heldout_documents) == (1, 1)


def test_holding_nothing_out_is_respected(cleaned):
    _, _, summary = cleaned({}, heldout_percent=0.0)
    assert summary.heldout_documents == 0


def test_the_summary_adds_up(cleaned, tmp_path):
    pages, gone, summary = cleaned(
        {"http://a.test/s": "<p>Short.</p>", "http://a.test/copy": article("files")}
    )
    assert summary.pages == len(pages) + len(gone)
    assert summary.train_bytes + summary.heldout_bytes == sum(len(d.text.encode()) for d in pages.values())
    assert json.loads((tmp_path / "clean" / "clean.json").read_text())["pages"] == summary.pages


def test_what_went_and_what_stayed_make_up_what_came_in(cleaned):
    notice = "<p>These pages belong to the makers of the module, who wrote every one of them by hand.</p>"
    pages = {f"http://n.test/{n}": article(f"{n} again").replace("</body>", notice) for n in range(3)}
    pages |= {"http://a.test/s": "<p>Short.</p>", "http://a.test/copy": article("files")}
    _, _, summary = cleaned(pages, own_text=True)
    went = summary.repeated_bytes + sum(step.bytes for step in summary.dropped)
    stayed = summary.train_bytes + summary.heldout_bytes
    assert summary.repeated_bytes and went + stayed == summary.text_bytes + summary.own_bytes


def test_cleaning_twice_gives_the_same_documents(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", ordinary_pages())
    clean(SETTINGS, crawl, tmp_path / "one")
    clean(SETTINGS, crawl, tmp_path / "one")
    clean(SETTINGS, crawl, tmp_path / "two")
    assert (tmp_path / "one/train.jsonl.zst").read_bytes() == (tmp_path / "two/train.jsonl.zst").read_bytes()


def test_cleaning_cleaned_documents_changes_nothing(cleaned, tmp_path):
    before, _, _ = cleaned({"http://a.test/ko": article("나무", "ko")})
    again = crawl_of(
        tmp_path / "again", {url: ("text/plain", doc.text.encode()) for url, doc in before.items()}
    )
    clean(SETTINGS, again, tmp_path / "twice")
    after = kept(tmp_path / "twice")
    assert {url: doc.text for url, doc in after.items()} == {url: doc.text for url, doc in before.items()}


def test_no_work_files_are_left(cleaned, tmp_path):
    cleaned({})
    names = {path.name for path in (tmp_path / "clean").iterdir()}
    assert names == {
        *("train.jsonl.zst", "heldout.jsonl.zst", "dropped.jsonl.zst"),
        *("clean.json", "run.json", "report.html"),
    }
    assert {path.name for path in tmp_path.iterdir()} == {"crawl", "clean"}


def test_an_empty_crawl_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match="holds no finished crawl; run `nextword collect` first"):
        clean(SETTINGS, tmp_path, tmp_path / "clean")


def test_nothing_left_names_the_step_that_dropped_most(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", {f"http://a.test/{n}": f"<p>Page {n}.</p>" for n in range(5)})
    with pytest.raises(BadInput, match=r"of 5 pages: step `quality` dropped 5, most because: too few words"):
        clean(SETTINGS, crawl, tmp_path / "clean")
    assert not (tmp_path / "clean").exists()


def test_a_damaged_archive_is_named_and_the_last_cleaning_stays(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", ordinary_pages())
    clean(SETTINGS, crawl, tmp_path / "clean")
    before = (tmp_path / "clean" / "train.jsonl.zst").read_bytes()
    (segment,) = crawl.glob("*.warc.gz")
    segment.write_bytes(segment.read_bytes()[:-200])
    with pytest.raises(Corrupt, match=segment.name):
        clean(SETTINGS, crawl, tmp_path / "clean")
    assert (tmp_path / "clean" / "train.jsonl.zst").read_bytes() == before


def test_a_killed_cleaning_is_run_again(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", ordinary_pages())
    dying = (
        "import os, nextword.data.clean_summary as s\n"
        "s.gather = lambda *_: os.kill(os.getpid(), 9)\n"
        "from pathlib import Path\nfrom nextword.data.clean import *\n"
        f"clean(CleanSettings(), Path({str(crawl)!r}), Path({str(tmp_path / 'clean')!r}))"
    )
    assert subprocess.run([sys.executable, "-c", dying], capture_output=True).returncode == -9
    assert not (tmp_path / "clean").exists()
    clean(SETTINGS, crawl, tmp_path / "clean")
    assert len(kept(tmp_path / "clean")) == len(TOPICS)


def test_a_full_disk_is_one_line_and_the_last_cleaning_stays(tmp_path):
    crawl = crawl_of(tmp_path / "crawl", ordinary_pages())
    clean(SETTINGS, crawl, tmp_path / "clean")
    before = (tmp_path / "clean" / "train.jsonl.zst").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(Failure, match=r"cannot be written .*; free some space"):
            clean(SETTINGS, crawl, tmp_path / "clean")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "clean" / "train.jsonl.zst").read_bytes() == before


@pytest.mark.parametrize("out", ["crawl", "crawl/clean", ".", "documents"])
def test_what_lies_in_the_folder_for_the_output_is_never_lost(tmp_path, out):
    crawl = crawl_of(tmp_path / "crawl", ordinary_pages())
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "thesis.txt").write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match="choose another folder"):
        clean(SETTINGS, crawl, tmp_path / out)
    assert sorted(tmp_path.rglob("*")) == before


def test_showing_the_settings_loads_nothing_heavy():
    heavy = ("datatrove", "numpy", "torch")
    code = f"import sys, nextword.data.clean; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_real_pages_of_three_languages_and_their_copies(need, tmp_path):
    packed = need("../shared/data/raw_html") / "pages.tar.xz"
    with tarfile.open(packed) as tar, ArchiveWriter(tmp_path / "crawl") as archive:
        for member in tar:
            file = tar.extractfile(member)
            if file:
                url = f"http://raw.test/{Path(member.name).name}"
                archive.response(url, 200, {"Content-Type": "text/html"}, file.read())
    summary = clean(SETTINGS, tmp_path / "crawl", tmp_path / "clean")
    pages, gone = kept(tmp_path / "clean"), dropped(tmp_path / "clean")
    steps = {step.step: step.documents for step in summary.dropped}
    assert len(pages) + len(gone) == summary.pages == 126
    assert steps["exact"] >= 5 and steps["seen"] >= 5
    assert all(summary.languages[lang][0] >= 5 for lang in ("ko", "zh", "en"))
    assert all(gone[url]["step"] in ("exact", "seen") for url in gone if "/DUP_" in url)
