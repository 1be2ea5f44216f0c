"""Train the tokenizer: byte-level BPE (Sennrich et al. 2016; on bytes, Radford et al. 2019) by `tokenizers`.

The split into pieces is Llama-3's, so every program that knows `llama-bpe` (llama.cpp, our run.c) splits as
we do. No normaliser and all 256 bytes in the vocabulary: any text comes back exactly.

The demo's site is English, and a tokenizer trained on it alone pays almost three tokens for each Korean
syllable (three bytes in UTF-8). So texts are weighed: `korean_share` of the bytes that merges are counted
over are Korean, however little of it there is, by repeating it. Counts are all that BPE learns from, so
repeating a text is the same as weighing it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.files import folder_written_atomically, write_json, write_text
from nextword.common.progress import Progress
from nextword.common.settings import option
from nextword.tokenizer.engines import PATTERN
from nextword.tokenizer.special import BOS, CHAT_TEMPLATE, EOS, PAD, SPECIALS
from nextword.tokenizer.tokenizer import REPORT, Tokenizer, unicode


@dataclass(frozen=True)
class TokenizerSettings:
    """How the tokenizer is trained."""

    vocab_size: int = option(4096, "tokens in all, 256 bytes and 32 special ones included")
    korean_share: float = option(
        0.25, "the part of the training bytes that is Korean, by repeating it (0 to 1)"
    )
    sample_mb: float = option(64.0, "train on at most this many megabytes of each language's text")


@dataclass(frozen=True)
class TokenizerReport:
    """What training found: `bytes_per_token` by language of its own texts ("en", "ko"), and the hash."""

    sha256: str
    vocab_size: int
    bytes_per_token: dict[str, float]
    training_bytes: dict[str, int]
    repeated: int


def train_tokenizer(
    settings: TokenizerSettings,
    texts: Iterable[str],
    out: Path,
    progress: Progress | None = None,
    korean: Iterable[str] = (),
) -> TokenizerReport:
    """Learn a vocabulary from `texts` and write the folder `out` (RUN/tokenizer).

    `korean` are texts of our own to weigh up beside whatever Korean is in `texts`. The same texts in the same
    order give the same file. BadInput when there is no text or the vocabulary is too small to hold the bytes.
    """
    least = 256 + len(SPECIALS)
    if settings.vocab_size < least or not 0 <= settings.korean_share < 1:
        raise BadInput(
            f"vocab_size {settings.vocab_size}, korean_share {settings.korean_share}",
            do=f"choose at least {least} tokens and a share of at least 0 and under 1",
        )
    with progress or Progress("tokenizer", unit="bytes") as shown:
        sample = Sample.of(itertools.chain(korean, texts), int(settings.sample_mb * 1e6))
        if not sample.bytes["en"] + sample.bytes["ko"]:
            raise BadInput("no text to learn a tokenizer from", do="look at the report of `nextword clean`")
        repeated = sample.repeats(settings.korean_share)
        trained = _trained(sample, repeated, settings.vocab_size, shown)
        return _write(trained, sample, repeated, out)


@dataclass(frozen=True)
class Sample:
    """The texts that the tokenizer learns from, Korean ones apart."""

    texts: dict[str, list[str]]
    bytes: dict[str, int]

    @staticmethod
    def of(texts: Iterable[str], limit: int) -> Sample:
        """Take texts in their order, up to `limit` bytes of each language."""
        taken: dict[str, list[str]] = {"en": [], "ko": []}
        sizes = {"en": 0, "ko": 0}
        for text in texts:
            lang = "ko" if is_korean(text) else "en"
            if sizes[lang] < limit:
                taken[lang].append(text)
                sizes[lang] += len(text.encode("utf-8", "replace"))
        return Sample(taken, sizes)

    def repeats(self, korean_share: float) -> int:
        """How often Korean is to be read so that it makes that share of all bytes (at least once)."""
        if not self.bytes["ko"]:
            return 0
        wanted = korean_share / (1 - korean_share) * self.bytes["en"]
        return max(1, round(wanted / self.bytes["ko"]))


def is_korean(text: str) -> bool:
    """Whether at least a fifth of the beginning of a text is Hangul."""
    beginning = text[:4000]
    return 5 * sum("가" <= character <= "힣" for character in beginning) >= max(1, len(beginning))


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
        for lang, times in (("en", 1), ("ko", repeated)):
            for text in sample.texts[lang] * times:
                progress.advance(len(text))
                yield unicode(text)

    tokenizer.train_from_iterator(read(), trainer)
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def _write(trained: Any, sample: Sample, repeated: int, out: Path) -> TokenizerReport:
    data = trained.to_str(pretty=True)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1 << 30,
        "chat_template": CHAT_TEMPLATE,
    }
    tokenizer = Tokenizer(data.encode(), config, out / "tokenizer.json")
    report = TokenizerReport(
        tokenizer.fingerprint,
        tokenizer.vocab_size,
        {lang: bytes_per_token(tokenizer, texts) for lang, texts in sample.texts.items() if texts},
        sample.bytes,
        repeated,
    )
    with folder_written_atomically(out) as folder:
        write_text(folder / "tokenizer.json", data)
        write_json(folder / "tokenizer_config.json", config)
        write_json(folder / REPORT, asdict(report))
    return report


def bytes_per_token(tokenizer: Tokenizer, texts: Iterable[str]) -> float:
    """UTF-8 bytes that one token stands for, on average; higher is cheaper."""
    size = count = 0
    for text in texts:
        size += len(text.encode("utf-8", "replace"))
        count += len(tokenizer.encode(text))
    return size / max(count, 1)
