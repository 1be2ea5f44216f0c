"""What is inside the files that stages hand over, in a few lines a person can read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from nextword import engine
from nextword.common.errors import BadInput
from nextword.common.terminal import printable
from nextword.release import inspect
from nextword.release.gguf_file import CHECKSUM
from nextword.tokenizer.shards import Shard

LONGEST_VALUE = 80
VERIFIED = "verified: its contents agree with the checksum it carries"
UNVERIFIABLE = "not verified: it carries no checksum"


def contents(path: Path, verify: bool = False) -> Iterator[str]:
    """Lines about a GGUF file, a token shard, or a checkpoint folder; BadInput for anything else.

    `verify` reads all of it and compares its checksums (Corrupt); the last line says what came of it.
    """
    if not path.exists():
        raise BadInput("no such file or folder", where=path)
    if path.suffix == ".gguf":
        return _gguf(path, verify)
    if path.suffix == ".tokens":
        return _shard(path, verify)
    if path.is_dir():
        return _checkpoint(engine.model_folder(path), verify)
    raise BadInput("not a file we know", where=path, do="give a .gguf, a .tokens or a checkpoint folder")


def _gguf(path: Path, verify: bool) -> Iterator[str]:
    found = inspect(path, verify)
    yield f"GGUF version {found.version}, {found.size:,} bytes, {found.parameters:,} parameters"
    for key, value in found.keys.items():
        shown = f"{len(value):,} values" if isinstance(value, list) else str(value)
        yield f"  {printable(key)} = {printable(shown)[:LONGEST_VALUE]}"
    for tensor in found.tensors:
        shape = " x ".join(map(str, tensor.shape))
        yield f"  {printable(tensor.name):<28} {tensor.type.name:<6} {shape}"
    if verify:
        yield VERIFIED if CHECKSUM in found.keys else UNVERIFIABLE


def _shard(path: Path, verify: bool) -> Iterator[str]:
    shard = Shard(path, verify)
    yield f"token shard, {shard.tokens:,} tokens of {shard.documents:,} documents"
    yield f"  {int(shard.sizes.sum()):,} bytes of text, {shard.ids.dtype.itemsize} bytes a token"
    yield f"  tokenizer {shard.fingerprint}"
    if verify:
        yield VERIFIED


def _checkpoint(folder: Path, verify: bool) -> Iterator[str]:
    from nextword.model.checkpoint import has_checksums, stored_tensors
    from nextword.model.config_file import read_config

    config = read_config(folder / "config.json")
    yield f"{folder}: {config.num_parameters:,} parameters"
    for name, value in asdict(config).items():
        yield f"  {name} = {value}"
    if verify:
        for _ in stored_tensors(folder, config):
            pass
        yield VERIFIED if has_checksums(folder) else UNVERIFIABLE
