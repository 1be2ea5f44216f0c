"""The first file: a checkpoint folder's weights, tokenizer and chat template as one GGUF.

The checkpoint is opened as it always is, with all its checks, but mapped: the tensors that have been written
are the system's to forget, so a model larger than the memory can be released.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_VERSION, GGUFWriter

from nextword.common.progress import Progress
from nextword.model.config import ModelConfig
from nextword.release.architecture import (
    Placement,
    add_shape,
    gguf_architecture,
    interleave_rows,
    place_tensors,
    rope_factors,
)
from nextword.release.gguf_file import ALIGNMENT, write_gguf
from nextword.release.quantise import FILE_TYPES, tensor_type
from nextword.release.vocabulary import read_vocabulary


@dataclass(frozen=True)
class Written:
    """The file's SHA-256, its architecture, and what a person should know about it."""

    sha256: str
    architecture: str
    notes: list[str]


def write_parameters(checkpoint: Path, path: Path, type: str, progress: Progress) -> Written:
    """Write the GGUF file of a checkpoint folder, its weights mostly of `type` (F32, F16, BF16, Q8_0, Q4_0).

    Raises BadInput or Corrupt for a folder that holds no sound model, Failure when the disk is full.
    """
    from nextword.model.checkpoint import load_checkpoint  # torch

    wanted = tensor_type(type)
    model = load_checkpoint(checkpoint, dtype=None)
    config = model.config
    architecture = gguf_architecture(config)
    vocabulary = read_vocabulary(checkpoint, config.vocab_size)
    placements = place_tensors(config, wanted)

    def add_keys(writer: GGUFWriter) -> None:
        writer.add_type("model")
        writer.add_name(path.stem)
        writer.add_custom_alignment(ALIGNMENT)
        writer.add_quantization_version(GGML_QUANT_VERSION)
        writer.add_file_type(FILE_TYPES[wanted.name])
        add_shape(writer, config)
        vocabulary.add_to(writer)

    def read(placed: Placement) -> npt.NDArray[np.float32]:
        if not placed.source:
            assert config.rope_scaling is not None
            return rope_factors(config.head_dim, config.rope_theta, config.rope_scaling)
        values = model.get_parameter(placed.source).detach().float().numpy()
        return interleave_rows(values, placed.heads) if placed.heads else values

    progress.set(0, total=len(placements))
    sha256 = write_gguf(path, architecture, add_keys, placements, read, progress)
    return Written(sha256, architecture, _notes(config, placements, wanted.name))


def _notes(config: ModelConfig, placements: list[Placement], wanted: str) -> list[str]:
    notes = []
    kept = [placed.name for placed in placements if placed.type.name == "F16" != wanted]
    if kept:
        notes.append(f"{len(kept)} tensors have rows that do not divide into blocks of 32 and are F16")
    if config.context < config.max_position_embeddings:
        notes.append(f"context is {config.context:,} tokens, the sliding window: GGUF's llama has none")
    return notes
