"""The model card (Mitchell et al. 2019): what the two files are, made from what, how good, and for what.

Hugging Face's front matter on top, so that a hub shows it well; English with a summary in Korean. Every
number is read from the run's own files; what a run did not record is said to be unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nextword import __version__
from nextword.common.errors import NextwordError
from nextword.common.files import write_text
from nextword.common.records import read_records
from nextword.release.gguf_file import Inspection, inspect
from nextword.release.lessons import Lesson, read_lessons, table
from nextword.release.sources import UNKNOWN, Source, read_sources
from nextword.runner.build import FLAGS, LIBRARIES

MAX_SOURCES = 25
SETTINGS_SHOWN = 40
BUILD = " ".join(("cc", *FLAGS, "-o", "run", "run.c", *LIBRARIES))
"""What a person types to compile the program."""


@dataclass(frozen=True)
class Facts:
    """What is known of a release. Tables that a run did not write are empty."""

    gguf: Path
    sha256: str
    inspection: Inspection
    notes: Sequence[str] = ()
    sources: Sequence[Source] = ()
    clean: Mapping[str, Any] = field(default_factory=dict)
    tokens: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    baselines: Mapping[str, Any] = field(default_factory=dict)
    lessons: Sequence[Lesson] = ()

    @property
    def is_base(self) -> bool:
        """Whether it was only ever taught to continue a text."""
        return not self.lessons

    @property
    def name(self) -> str:
        """The model's name."""
        return self.gguf.stem

    def key(self, name: str) -> Any:
        """A key of the architecture, such as block_count."""
        return self.inspection.keys.get(f"{self.inspection.keys['general.architecture']}.{name}")


def write_card(
    path: Path, gguf: Path, sha256: str, checkpoint: Path, run: Path | None, notes: Sequence[str] = ()
) -> Path:
    """Write the card of a GGUF file beside it, from the run folder it came from (None: a bare checkpoint)."""
    folder = run or checkpoint
    facts = Facts(
        gguf=gguf,
        sha256=sha256,
        inspection=inspect(gguf),
        notes=notes,
        sources=read_sources(folder / "clean"),
        clean=table(folder / "clean" / "clean.json"),
        tokens=table(folder / "tokens" / "tokens.json"),
        tokenizer=table(folder / "tokenizer" / "tokenizer.report.json"),
        training=table(folder / "base" / "run.json"),
        plan=table(folder / "base" / "plan.json"),
        evaluation=_last_evaluation(folder / "base" / "metrics.jsonl"),
        baselines=_baselines(table(folder / "make.json")),
        lessons=read_lessons(checkpoint, run),
    )
    write_text(path, card(facts))
    return path


def card(facts: Facts) -> str:
    """The card's text, Markdown."""
    sections = (
        _front_matter(facts),
        [f"# {facts.name}", "", _summary(facts)],
        _korean(facts),
        _files(facts),
        _data(facts),
        _training(facts),
        _lessons(facts),
        _quality(facts),
        _use(facts),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _front_matter(facts: Facts) -> list[str]:
    licences = {source.licence for source in facts.sources}
    licence = licences.pop().lower() if len(licences) == 1 and UNKNOWN not in licences else "other"
    tags = [facts.inspection.keys["general.architecture"], "gguf", "nextword"]
    tags += ["base-model"] if facts.is_base else ["conversational"]
    lines = ["---", "library_name: gguf", "pipeline_tag: text-generation", "language:", "- en", "- ko"]
    return [*lines, f"license: {licence}", "tags:", *(f"- {tag}" for tag in tags), "---"]


def _summary(facts: Facts) -> str:
    count, layers = facts.inspection.parameters, facts.key("block_count")
    shape = (
        f"{count:,} parameters ({layers} layers, hidden size {facts.key('embedding_length')}, context "
        f"{facts.key('context_length'):,} tokens)"
    )
    if facts.is_base:
        return (
            f"A base language model of {shape} that predicts the next word of texts like those it was "
            "trained on. It continues a text; it was not taught to answer."
        )
    return (
        f"An assistant of {shape}: a base language model that was then taught to answer. Its chat "
        "template is in the file. Small models make mistakes: ask with the pages at hand."
    )


def _korean(facts: Facts) -> list[str]:
    bits = facts.evaluation.get("bits_per_byte")
    count = f"매개변수 {facts.inspection.parameters:,}개짜리"
    text = (
        f"{count} 기본(base) 언어 모델입니다. "
        "주어진 글 다음에 올 낱말을 맞히도록 학습했고, 묻는 말에 답하도록 다듬지는 않았습니다."
        if facts.is_base
        else f"{count} 어시스턴트입니다. 글을 잇도록 학습한 기본 모델에 묻는 말에 답하는 법을 가르쳤습니다."
    )
    if facts.sources:
        documents = sum(source.documents for source in facts.sources)
        text += (
            f" 문서 {documents:,}건({_size(sum(source.bytes for source in facts.sources))})으로 학습했습니다."
        )
    if bits is not None:
        text += f" 학습에 쓰지 않은 문서에서 바이트당 {bits:.3f}비트입니다."
    text += f' 실행: `./run {facts.gguf.name} -p "첫머리"`. 사실과 다른 내용을 그럴듯하게 쓸 수 있습니다.'
    return ["## 한국어 요약", "", text]


def _files(facts: Facts) -> list[str]:
    kinds = sorted({tensor.type.name for tensor in facts.inspection.tensors})
    program = f"- `run.c`: the program that runs it: `{BUILD}` builds it."
    is_run_c = facts.inspection.keys["general.architecture"] == "llama"
    return [
        "## The two files" if is_run_c else "## The file",
        "",
        f"- `{facts.gguf.name}`: {_size(facts.inspection.size)}, tensors in {', '.join(kinds)}, SHA-256",
        f"  `{facts.sha256}`. Tokenizer and chat template are inside.",
        *([program] if is_run_c else []),
        "",
        "```",
        *([f'./run {facts.gguf.name} -p "Once upon a time" -n 128'] if is_run_c else []),
        f'llama-cli -m {facts.gguf.name} -p "Once upon a time" -n 128 -no-cnv   # llama.cpp reads it too',
        "```",
        *(["", *(f"- Note: {note}." for note in facts.notes)] if facts.notes else []),
    ]


def _data(facts: Facts) -> list[str]:
    lines = ["## Training data", ""]
    if not facts.sources:
        return [*lines, "Not recorded: this checkpoint came without its run folder."]
    shown = MAX_SOURCES if len(facts.sources) > MAX_SOURCES + 1 else MAX_SOURCES + 1  # never "1 smaller"
    rows = [(s.name, f"{s.documents:,}", _size(s.bytes), s.licence) for s in facts.sources[:shown]]
    if rest := facts.sources[shown:]:
        count, size = sum(source.documents for source in rest), sum(source.bytes for source in rest)
        rows.append((f"{len(rest)} smaller sources", f"{count:,}", _size(size), "see each"))
    lines += _rows(("source", "documents", "text", "licence"), rows)
    if facts.clean:
        lines += ["", *_cleaning(facts.clean)]
    splits = facts.tokens.get("splits", {})
    if isinstance(splits, dict) and splits:
        rows = [
            (name, f"{s.get('documents', 0):,}", f"{s.get('tokens', 0):,}", _size(s.get("bytes", 0)))
            for name, s in splits.items()
        ]
        lines += ["", *_rows(("split", "documents", "tokens", "text"), rows)]
    return [*lines, "", *_bytes_per_token(facts)]


def _cleaning(clean: Mapping[str, Any]) -> list[str]:
    """What came in, what each step dropped, what stayed."""
    rows = [("pages fetched", f"{clean.get('pages', 0):,}", _size(clean.get("page_bytes", 0)))]
    if own := clean.get("own_documents", 0):
        rows.append(("nextword's own, added", f"{own:,}", _size(clean.get("own_bytes", 0))))
    for step in clean.get("dropped", ()):
        rows.append((f"dropped: {step['step']}", f"{step['documents']:,}", _size(step["bytes"])))
    rows.append(("repeated lines taken out", "", _size(clean.get("repeated_bytes", 0))))
    for split in ("train", "heldout"):
        kept = clean.get(f"{split}_documents", 0), clean.get(f"{split}_bytes", 0)
        rows.append((f"kept: {split}", f"{kept[0]:,}", _size(kept[1])))
    return _rows(("cleaning", "documents", "bytes"), rows)


def _bytes_per_token(facts: Facts) -> list[str]:
    measured = facts.tokenizer.get("bytes_per_token")
    if not isinstance(measured, dict):
        return []
    shown = ", ".join(f"{language} {value:.2f}" for language, value in measured.items() if value)
    return [f"Tokenizer: byte-level BPE, {facts.key('vocab_size'):,} tokens; bytes a token: {shown}."]


def _training(facts: Facts) -> list[str]:
    lines = ["## Training", ""]
    if not facts.training and not facts.evaluation:
        return [*lines, "Not recorded: this checkpoint came without its run folder."]
    known = {name: facts.training.get(name) for name in ("started", "commit", "machine")}
    known |= {name: facts.evaluation.get(name) for name in ("step", "tokens")}
    rows = [(name, _plain(value)) for name, value in known.items() if value not in (None, "")]
    settings = facts.training.get("settings")
    chosen = {**(settings if isinstance(settings, dict) else {}), **facts.plan}  # the plan fills in zeros
    decided = [(name, _plain(value)) for name, value in chosen.items() if value not in (None, "")]
    rows += decided[:SETTINGS_SHOWN]
    return [*lines, *_rows(("what", "value"), rows)]


def _lessons(facts: Facts) -> list[str]:
    """How the base model was taught to answer; nothing for a base model."""
    if facts.is_base:
        return []
    rows = [(lesson.name, lesson.data, lesson.told) for lesson in facts.lessons]
    return ["## Taught to answer", "", *_rows(("stage", "from", "result"), rows)]


def _quality(facts: Facts) -> list[str]:
    measured = {"this model": facts.evaluation.get("bits_per_byte"), **facts.baselines}
    rows = [(name, f"{bits:.3f}") for name, bits in measured.items() if isinstance(bits, (int, float))]
    if not rows:
        return ["## Quality", "", "Not measured."]
    of = "the weights before quantisation" if facts.is_base else "the base model it began as"
    lead = f"Bits per byte on held-out documents (lower is better), of {of}:"
    return ["## Quality", "", lead, "", *_rows(("model", "bits per byte"), rows)]


def _use(facts: Facts) -> list[str]:
    return [
        "## Use and limits",
        "",
        "Made for learning, and as the start of finetuning. It imitates its sources: it invents names,",
        "signatures and facts that read like theirs, repeats passages it has seen often, and knows nothing",
        "else. It has no safety training. Do not let it decide anything about people.",
        "Whoever shares it shares what it remembers of its sources: keep to their licences.",
        "",
        f"Made with nextword {__version__}.",
    ]


def _last_evaluation(metrics: Path) -> Mapping[str, Any]:
    """The last look at held-out text, {} without one. A line that a crash cut short ends the reading."""
    last: Mapping[str, Any] = {}
    try:
        for line in read_records(metrics) if metrics.exists() else ():
            last = line if line.get("kind") in ("evaluation", "final") else last
    except NextwordError:
        pass
    return last


def _baselines(journal: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `nextword make` measured beside the model: bits per byte by name."""
    found: Any = journal
    for name in ("stages", "baselines", "result"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _plain(value: Any) -> str:
    return f"{value:,}" if type(value) is int else f"{value:g}" if type(value) is float else str(value)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; a cell from outside cannot end its row."""
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return [lines[0], "|" + " --- |" * len(head), *lines[1:]]


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
