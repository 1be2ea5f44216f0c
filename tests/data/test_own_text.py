from nextword.common.records import is_held_out
from nextword.data.language import language
from nextword.data.own_text import ADDRESS, own_documents


def test_our_own_pages_are_english_and_korean():
    documents = list(own_documents())
    assert {"en", "ko"} <= {document.lang for document in documents}


def test_our_korean_pages_really_are_korean():
    korean = [document for document in own_documents() if document.lang == "ko"]
    assert all(language(document.text) == "ko" for document in korean)


def test_our_own_pages_say_where_they_come_from():
    for document in own_documents():
        assert document.url.startswith(ADDRESS) and document.meta["source"] == "nextword"


def test_their_order_is_fixed():
    first, second = list(own_documents()), list(own_documents())
    assert first == second and len({document.id for document in first}) == len(first)


def test_conversations_of_both_languages_are_there_and_never_held_out():
    """Finetuning learns them, so bits per byte must not be measured on them."""
    spoken = [document for document in own_documents() if "conversations" in document.url]
    assert {document.lang for document in spoken} == {"en", "ko"}
    assert not any(is_held_out(document.id, 30) for document in spoken)


def test_our_english_conversations_really_are_english():
    spoken = next(document for document in own_documents() if document.url.endswith("conversations.en.jsonl"))
    assert language(spoken.text) == "en"
