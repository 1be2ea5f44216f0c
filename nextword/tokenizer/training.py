"""Train the tokenizer: byte-level BPE (Sennrich et al. 2016; on bytes, Radford et al. 2019) by `tokenizers`.

The split into pieces is Llama-3's, so every program that knows `llama-bpe` (llama.cpp, our run.c) splits as
we do. No normaliser and all 256 bytes in the vocabulary: any text comes back exactly.

The demo's site is English, and a tokenizer trained on it alone pays three tokens for each Korean syllable
(three bytes in UTF-8). So texts are weighed: `korean_share` of the bytes that merges are counted over are
Korean, however little of it there is, by reading it again. Counts are all that BPE learns from, so
repeating a text is the same as weighing it. What that buys and costs (1.8 MB of pydoc, 21 kB of our own
Korean, 4096 tokens; bytes a token of that English, and of Korean petitions and film reviews that were never
seen):

    korean_share   0       0.02    0.05    0.10    0.25
    English        3.49    3.47    3.45    3.39    3.32
    petitions      1.01    1.86    2.23    2.46    2.55
    reviews        1.01    1.75    2.06    2.29    2.36

One tenth it is: Korean at more than twice the price saved, English 3 % dearer. Adding the 512 most frequent
syllables as a list of their own changed little (petitions 2.54), so it was left out: more Korean text is what
helps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.files import check_replaceable, folder_written_atomically, write_json, write_text
from nextword.common.progress import Progress
from nextword.common.records import digest, is_held_out, read_documents
from nextword.common.settings import MOST_TOKENS, check_ranges, option
from nextword.data.sentences import is_korean
from nextword.tokenizer.engines import PATTERN
from nextword.tokenizer.special import BOS, CHAT_TEMPLATE, EOS, PAD, SPECIALS
from nextword.tokenizer.tokenise import split_file
from nextword.tokenizer.tokenizer import REPORT, Tokenizer, unicode

LANGUAGES = ("en", "ko")
UNSEEN_PERCENT = 10
BEGINNING = 4000
"""Characters of a text that its language is told by."""
OURS = (REPORT, "tokenizer.json", "tokenizer_config.json")
CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": BOS,
    "eos_token": EOS,
    "pad_token": PAD,
    "clean_up_tokenization_spaces": False,
    "model_max_length": 1 << 30,
    "chat_template": CHAT_TEMPLATE,
}
"""tokenizer_config.json, as `transformers` reads it."""


@dataclass(frozen=True)
class TokenizerSettings:
    """How the tokenizer is trained."""

    vocab_size: int = option(4096, "tokens in all, 256 bytes and 32 special ones included", most=MOST_TOKENS)
    korean_share: float = option(
        0.1, "the part of the training bytes that is Korean, by repeating it (0 to 1)"
    )
    sample_mb: float = option(64.0, "train on at most this many megabytes of each language's text")

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class TokenizerReport:
    """What training found, by language ("en", "ko"; "en" is whatever is not Korean).

    `bytes_per_token` is measured on texts that were kept from training, one in ten chosen by hash; where
    there are too few to keep one back, on all of them, and `measured_unseen` says so.
    """

    sha256: str
    vocab_size: int
    bytes_per_token: dict[str, float]
    measured_unseen: dict[str, bool]
    training_bytes: dict[str, int]
    korean_repeated: int


def train_tokenizer(
    settings: TokenizerSettings,
    texts: Iterable[str],
    out: Path,
    progress: Progress | None = None,
) -> TokenizerReport:
    """Learn a vocabulary from `texts` and write the folder `out` (RUN/tokenizer).

    The same texts in the same order give the same files. BadInput when there is no text, the vocabulary is
    too small to hold all bytes, or `out` holds what is not an earlier one.
    """
    least = 256 + len(SPECIALS)
    if settings.vocab_size < least or not 0 <= settings.korean_share < 1:
        raise BadInput(
            f"vocab_size {settings.vocab_size}, korean_share {settings.korean_share}",
            do=f"choose at least {least} tokens and a share of at least 0 and under 1",
        )
    check_replaceable(out, OURS)
    with progress or Progress("tokenizer", unit="characters") as shown:
        sample = Sample.of(texts, int(settings.sample_mb * 1e6))
        repeated = sample.repeats(settings.korean_share)
        trained = _trained(sample, repeated, settings.vocab_size, shown)
    data = str(trained.to_str(pretty=True))
    tokenizer = Tokenizer(data.encode(), CONFIG, out / "tokenizer.json")
    report = TokenizerReport(
        tokenizer.fingerprint,
        tokenizer.vocab_size,
        {lang: bytes_per_token(tokenizer, texts) for lang, texts in sample.measured().items()},
        {lang: bool(sample.unseen[lang]) for lang in sample.measured()},
        {lang: sample.bytes(lang) for lang in LANGUAGES},
        repeated,
    )
    with folder_written_atomically(out, OURS) as folder:
        write_text(folder / "tokenizer.json", data)
        write_json(folder / "tokenizer_config.json", CONFIG)
        write_json(folder / REPORT, asdict(report))
    return report


def tokenizer_of_clean(
    settings: TokenizerSettings, clean: Path, out: Path, progress: Progress | None = None
) -> TokenizerReport:
    """The stage: learn from the training split of a `clean` folder, which has our own Korean pages in it."""
    check_replaceable(out, OURS, inputs=[clean])
    texts = (document.text for document in read_documents(split_file(clean, "train")))
    return train_tokenizer(settings, texts, out, progress)


def bytes_per_token(tokenizer: Tokenizer, texts: Iterable[str]) -> float:
    """UTF-8 bytes that one token stands for, on average; higher is cheaper."""
    size = count = 0
    for text in map(unicode, texts):
        size += len(text.encode())
        count += len(tokenizer.encode(text))
    return size / max(count, 1)


@dataclass(frozen=True)
class Sample:
    """By language, the texts to learn from and those kept to measure on."""

    learned: dict[str, list[str]]
    unseen: dict[str, list[str]]

    @staticmethod
    def of(texts: Iterable[str], limit: int) -> Sample:
        """Take texts in their order, up to `limit` bytes of each language; BadInput when there are none."""
        learned: dict[str, list[str]] = {lang: [] for lang in LANGUAGES}
        unseen: dict[str, list[str]] = {lang: [] for lang in LANGUAGES}
        sizes = dict.fromkeys(LANGUAGES, 0)
        for text in map(unicode, texts):
            lang = "ko" if is_korean(text[:BEGINNING]) else "en"
            if text and sizes[lang] < limit:
                kept = is_held_out(digest(text), UNSEEN_PERCENT)
                (unseen if kept else learned)[lang].append(text)
                sizes[lang] += len(text.encode())
        if not any(learned.values()):
            raise BadInput("no text to learn a tokenizer from", do="look at the report of `nextword clean`")
        return Sample(learned, unseen)

    def bytes(self, lang: str) -> int:
        """UTF-8 bytes of what is learned from."""
        return sum(len(text.encode()) for text in self.learned[lang])

    def repeats(self, korean_share: float) -> int:
        """How often Korean is to be read so that it makes that share of all bytes, at least once."""
        if not self.learned["ko"]:
            return 0
        wanted = korean_share / (1 - korean_share) * self.bytes("en")
        return max(1, round(wanted / self.bytes("ko")))

    def measured(self) -> dict[str, list[str]]:
        """The texts of each language to measure on: unseen ones where there are any."""
        chosen = {lang: self.unseen[lang] or self.learned[lang] for lang in LANGUAGES}
        return {lang: texts for lang, texts in chosen.items() if texts}


def _trained(sample: Sample, repeated: int, vocab_size: int, progress: Progress) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_only])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )

    def read() -> Iterator[str]:
        for text in sample.learned["en"] + sample.learned["ko"] * repeated:
            progress.advance(len(text))
            yield text

    tokenizer.train_from_iterator(read(), trainer)
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer
