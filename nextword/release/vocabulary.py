"""A Hugging Face tokenizer in GGUF's words.

    tokenizer.json                         tokenizer.ggml.model   how text is cut into tokens
    BPE over bytes (ours, Llama 3, Qwen)   gpt2                   merges in order; `pre` names the split
    BPE with byte fallback (Llama 2)       llama                  SentencePiece: scores instead of merges

GGUF has no regular expression in it, only the name of one that every reader knows by heart: `llama-bpe` for
ours and Llama 3's. A split without such a name is refused, since a reader would cut the text another way and
nobody would see it.

SentencePiece joins the pair whose joined token has the best score. A folder with `tokenizer.model` gives the
scores themselves; one with only a tokenizer.json has merges, written in the order of those scores (all splits
of the best token, then all of the next), so the order in which joined tokens first appear *is* the score:
0, -1, -2 … . llama.cpp's own converter writes -1000 for all of them here, which makes readers cut at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter, SpecialVocab, TokenType

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json
from nextword.release.sentencepiece import read_sentencepiece
from nextword.tokenizer.engines import PATTERN as LLAMA3
from nextword.tokenizer.special import BOS
from nextword.tokenizer.tokenizer import Tokenizer

QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
END_OF_TURN = ("<|end|>", "<|eot_id|>", "<|im_end|>")
NO_SCORE = -1000.0


@dataclass(frozen=True)
class Vocabulary:
    """Everything under `tokenizer.ggml`. tokens, types and scores are by id."""

    model: str
    pre: str
    tokens: list[str]
    types: list[int]
    scores: list[float] | None
    specials: SpecialVocab
    add_space_prefix: bool | None = None

    def add_to(self, writer: GGUFWriter) -> None:
        """Write the keys."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        if self.scores is not None:
            writer.add_token_scores(self.scores)
        writer.add_token_types(self.types)
        if self.add_space_prefix is not None:
            writer.add_add_space_prefix(self.add_space_prefix)
        self.specials.add_to_gguf(writer, quiet=True)


def read_vocabulary(folder: Path, vocab_size: int) -> Vocabulary:
    """The vocabulary of a checkpoint folder, filled up to vocab_size with unused tokens.

    Raises BadInput for a tokenizer that GGUF has no words for, Corrupt for a damaged one.
    """
    path = folder / "tokenizer.json"
    has_json = path.exists() or not (folder / "tokenizer.model").exists()
    if has_json:
        Tokenizer.load(folder)  # its checks are ours
    description = read_json(path) if has_json else None
    try:
        if description is None or description["model"].get("byte_fallback"):
            return _sentencepiece(folder, vocab_size, description)
        return _byte_level(folder, vocab_size, description)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Corrupt(f"not a sound tokenizer ({error!r})", where=path, do="train or copy it anew") from error


def _byte_level(folder: Path, vocab_size: int, description: dict[str, Any]) -> Vocabulary:
    pre = _split_name(description, folder / "tokenizer.json")
    table = _Table(vocab_size, folder / "tokenizer.json")
    for token, id in description["model"]["vocab"].items():
        table.put(id, token, TokenType.NORMAL)
    table.put_added(description["added_tokens"])
    specials = _specials(folder, vocab_size, table, load_merges=True)
    specials.add_special_token.setdefault("bos", BOS in table.tokens)  # a document of ours begins with one
    return Vocabulary("gpt2", pre, table.tokens, table.types, None, specials)


def _split_name(description: dict[str, Any], path: Path) -> str:
    """The name by which GGUF readers know how this tokenizer splits text before merging."""
    normaliser = (description.get("normalizer") or {}).get("type", "NFC")
    step = description.get("pre_tokenizer") or {}
    steps = step.get("pretokenizers", [step])
    kinds = [step.get("type") for step in steps]
    patterns = [step.get("pattern", {}).get("Regex") for step in steps if step.get("type") == "Split"]
    by_regex = {(LLAMA3,): "llama-bpe", (QWEN2,): "qwen2"}.get(tuple(patterns))
    if normaliser == "NFC" and kinds == ["Split", "ByteLevel"] and by_regex:
        return by_regex
    if normaliser == "NFC" and not patterns and steps[-1].get("use_regex", True):
        if kinds == ["ByteLevel"]:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
            return "smollm"
    raise BadInput(
        "splits text in a way that GGUF has no name for",
        where=path,
        do="we write the splits of Llama 3 (and ours), Qwen2, GPT-2 and SmolLM",
    )


def _sentencepiece(folder: Path, vocab_size: int, description: dict[str, Any] | None) -> Vocabulary:
    model = folder / "tokenizer.model"
    table = _Table(vocab_size, model if model.exists() else folder / "tokenizer.json")
    prefix = _puts_space_first(description) if description else True
    if model.exists():
        pieces = read_sentencepiece(model)
        prefix = pieces.add_dummy_prefix
        for id, piece in enumerate(pieces.pieces):
            table.put(id, piece.text, piece.type, piece.score)
    elif description is not None:
        _put_merged(table, description["model"])
    if description is not None:
        table.put_added(description["added_tokens"])
    specials = _specials(folder, vocab_size, table, load_merges=False)
    specials.add_special_token.setdefault("bos", True)
    return Vocabulary("llama", "default", table.tokens, table.types, table.scores, specials, prefix)


def _put_merged(table: _Table, model: dict[str, Any]) -> None:
    """SentencePiece's table from merges: see the module's text for why their order is the score."""
    scores: dict[str, float] = {}
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        scores.setdefault(left + right, -float(len(scores)))
    for token, id in model["vocab"].items():
        is_byte = len(token) == 6 and token.startswith("<0x")
        kind = TokenType.BYTE if is_byte else TokenType.NORMAL
        kind = TokenType.UNKNOWN if token == model.get("unk_token") else kind
        table.put(
            id, token, kind, 0.0 if kind != TokenType.NORMAL else scores.get(token, -float(len(scores)))
        )


def _puts_space_first(description: dict[str, Any]) -> bool:
    """Whether " " is put before the text: a Prepend normaliser (older folders) or Metaspace (newer ones)."""
    normaliser = description.get("normalizer") or {}
    prepends = any(step["type"] == "Prepend" for step in normaliser.get("normalizers", [normaliser]) if step)
    step = description.get("pre_tokenizer") or {}
    return prepends or (step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "never")


def _specials(folder: Path, vocab_size: int, table: _Table, load_merges: bool) -> SpecialVocab:
    """Merges, the ids of bos, eos, pad …, whether bos is put first, and the chat template."""
    specials = SpecialVocab(folder, load_merges=load_merges, n_vocab=vocab_size)
    for name in END_OF_TURN:
        if name in table.tokens and "eot" not in specials.special_token_ids:
            specials.special_token_ids["eot"] = table.tokens.index(name)
    return specials


class _Table:
    """Tokens by id. An id that nothing claims is an unused one, as llama.cpp's converter writes it."""

    def __init__(self, size: int, path: Path) -> None:
        self.path = path
        self.tokens = [f"[PAD{id}]" for id in range(size)]
        self.types = [int(TokenType.UNUSED)] * size
        self.scores = [NO_SCORE] * size

    def put(self, id: int, token: str, type: int, score: float = NO_SCORE) -> None:
        if not 0 <= id < len(self.tokens):
            raise BadInput(
                f"token {id} ({token!r:.40}) has no row in a model of {len(self.tokens):,} tokens",
                where=self.path,
                do="is this the tokenizer the model was trained with?",
            )
        self.tokens[id], self.types[id], self.scores[id] = token, int(type), score

    def put_added(self, added: list[dict[str, Any]]) -> None:
        """Added tokens: control when special (or spelled like one), user-defined when they are text."""
        for token in added:
            name, id = token["content"], token["id"]
            is_unknown = id < len(self.types) and self.types[id] == TokenType.UNKNOWN
            if not is_unknown:
                is_control = token.get("special") or (name.startswith("<|") and name.endswith("|>"))
                if not is_control:
                    name = name.replace("▁", " ")  # readers look for it in the text as it stands
                self.put(id, name, TokenType.CONTROL if is_control else TokenType.USER_DEFINED)
