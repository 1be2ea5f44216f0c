"""Everything a run needs to continue as if it had never stopped.

    state/shard-00001-model-00001-of-00001.safetensors ...    weights (fp32) and the optimiser's memory
    state/state.json                                          step, data position, random state, checksums

The tensors are written by `torch.distributed.checkpoint` in its safetensors form, each process its own
slices, and read back for any number of processes. Its default writer pickles an index, so it is not used;
what is not a tensor goes to JSON. The Hugging Face folder beside this one is for using the model; a run
resumes from here alone, so that the folder may be converted or thrown away.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from nextword.common.errors import Corrupt, Failure
from nextword.common.files import read_json, sha256, sync_folder, write_json
from nextword.train.distributed import Processes

FACTS = "state.json"


@contextlib.contextmanager
def folder_written_together(path: Path, processes: Processes) -> Iterator[Path]:
    """Fill a temporary folder, every process its part, that becomes `path` only if all of them end well."""
    part = path.with_name(f".{path.name}.part")
    try:
        if processes.is_first:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
        processes.wait()
        yield part
        processes.wait()
        if processes.is_first:
            _flush(part)
            if path.exists():
                shutil.rmtree(path)
            part.rename(path)
            sync_folder(path.parent)
        processes.wait()
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error
    finally:
        if processes.is_first:
            shutil.rmtree(part, ignore_errors=True)


def save_state(folder: Path, tensors: dict[str, Tensor], facts: dict[str, Any], processes: Processes) -> None:
    """Write tensors (plain, or sharded over the processes) and facts into a folder; every process calls."""
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
    processes.wait()
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    try:
        with _quiet():
            save(tensors, storage_writer=writer, no_dist=processes.world == 1)
    except CheckpointException as error:
        raise _unwritable(folder, _reason(error)) from error
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error
    processes.wait()
    if processes.is_first:
        checksums = {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}
        random = base64.b64encode(bytes(torch.get_rng_state().tolist())).decode()
        write_json(folder / FACTS, {**facts, "random": random, "checksums": checksums})
    processes.wait()


def load_state(folder: Path, tensors: dict[str, Tensor], processes: Processes) -> dict[str, Any]:
    """Copy what was saved into these tensors, in place, and return the facts; every process calls.

    The shapes must be those that were saved; how they are spread over processes need not be. Raises Corrupt
    when a file is not as it was written.
    """
    facts = read_facts(folder)
    if processes.is_first:
        _verify(folder, facts["checksums"])
    processes.wait()
    reader = HuggingFaceStorageReader(str(folder))
    try:
        with _quiet():
            load(tensors, storage_reader=reader, no_dist=processes.world == 1)
    except (CheckpointException, RuntimeError, ValueError) as error:
        raise Corrupt(f"does not fit this run ({_reason(error)})", where=folder, do=_ELSE) from error
    torch.set_rng_state(torch.tensor(list(base64.b64decode(facts["random"])), dtype=torch.uint8))
    return facts


def read_facts(folder: Path) -> dict[str, Any]:
    """The JSON part of a saved state."""
    facts = read_json(folder / FACTS)
    if not isinstance(facts, dict) or not {"step", "random", "checksums"} <= facts.keys():
        raise Corrupt("not a training state", where=folder / FACTS, do=_ELSE)
    return facts


_ELSE = "delete this checkpoint's folder to continue from the one before"


def _verify(folder: Path, checksums: dict[str, str]) -> None:
    for name, expected in checksums.items():
        path = folder / Path(name).name
        if not path.exists():
            raise Corrupt("missing", where=path, do=_ELSE)
        if sha256(path) != expected:
            raise Corrupt("not as it was written (checksum differs)", where=path, do=_ELSE)


def _flush(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


def _reason(error: BaseException) -> str:
    """The innermost message of torch's wrapped failure, in one line."""
    if isinstance(error, CheckpointException) and error.failures:
        cause = next(iter(error.failures.values()))[0]
        return f"{type(cause).__name__}: {cause}".splitlines()[0]
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _unwritable(path: Path, reason: str) -> Failure:
    return Failure(
        f"cannot be written ({reason})",
        where=path,
        do="free some space and run the same command: it continues from the checkpoint before",
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch warns that no process group means one process, and about its own deprecated calls."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch\.distributed")
        yield
