"""The one door to a model: `engine.open(spec)`.

spec                          what opens it
a checkpoint folder           torch (Llama, Mistral, Qwen2, Qwen3 in Hugging Face's layout)
a run folder                  torch, on the newest model in it
FILE.gguf                     run.c, built as a library on first use
fake:TEXT                     a scripted fake that says TEXT; `fake:` says the prompt back
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.common.run_layout import ASSISTANTS, INSIDE_A_RUN
from nextword.tokenizer.special import END

if TYPE_CHECKING:
    from nextword.model.llama import Llama
    from nextword.tokenizer.tokenizer import Tokenizer


def open_model(
    spec: str | Path,
    *,
    device: str = "auto",
    precision: str = "fp32",
    batch: int = 16,
    threads: int = 0,
    assistant: bool = False,
) -> LanguageModel:
    """A LanguageModel for `spec`; with `assistant`, the one of a run folder that converses, if there is one.

    precision fp32 or bf16 is torch's; a GGUF file has its own. threads 0 takes what the machine has. Raises
    BadInput when nothing here opens it, Corrupt for damaged files, Missing for an absent device or compiler.
    """
    if str(spec).startswith("fake:"):
        from nextword.engine.fake import FakeModel

        return FakeModel(str(spec).removeprefix("fake:") or None)
    path = Path(spec)
    if path.is_file() and path.suffix == ".gguf":
        from nextword.engine.runc_driver import open_gguf

        return open_gguf(path, batch=batch, threads=threads)
    folder = model_folder(path, assistant)
    return _open_folder(folder, device, precision, batch, threads)


def model_folder(path: Path, assistant: bool = False) -> Path:
    """The checkpoint folder that a path means: itself, or the base model (or assistant) of a run folder."""
    inside_a_run = (*ASSISTANTS, *INSIDE_A_RUN) if assistant else INSIDE_A_RUN
    for folder in (path, *(path / inside for inside in inside_a_run)):
        if (folder / "config.json").is_file():
            return folder
    if path.suffix == ".gguf" and path.is_file():
        do = "give the checkpoint folder that it was made from"
        raise BadInput("a GGUF file can be run, not trained", where=path, do=do)
    if path.is_file():
        raise BadInput("not a model we open", where=path, do="give a checkpoint folder or a .gguf file")
    if path.is_dir():
        do = "give the folder that holds config.json, or a .gguf file"
        raise BadInput("no model in this folder (it has no config.json)", where=path, do=do)
    if path.exists():
        do = "give a checkpoint folder or a .gguf file; a pipe cannot be mapped"
        raise BadInput("is no regular file (a pipe, a socket or a device)", where=path, do=do)
    raise BadInput("no such file or folder", where=path, do="give a checkpoint folder or a .gguf file")


def wrap(model: Llama, tokenizer: Tokenizer, name: str = "model", batch: int = 16) -> LanguageModel:
    """A LanguageModel over a module in memory, as training has one; the weights are used where they are."""
    from nextword.engine.local import LocalModel
    from nextword.engine.torch_driver import TorchDriver

    eos = tokenizer.eos if tokenizer.eos is not None else model.config.eos_token_id
    return LocalModel(
        TorchDriver(model, name), tokenizer, _ends(tokenizer, () if eos is None else (eos,)), batch
    )


def _ends(tokenizer: Tokenizer, named: tuple[int, ...]) -> frozenset[int]:
    """Where a text ends: at the tokens its folder names (else the tokenizer's EOS), and at our turn's end."""
    ends = named or (() if tokenizer.eos is None else (tokenizer.eos,))
    turn = tokenizer.special.get(END)
    return frozenset(ends if turn is None else (*ends, turn))


def _open_folder(folder: Path, device: str, precision: str, batch: int, threads: int) -> LanguageModel:
    import torch

    from nextword.engine.local import LocalModel
    from nextword.engine.torch_driver import PRECISIONS, TorchDriver, chosen_device
    from nextword.model.checkpoint import load_checkpoint
    from nextword.model.config_file import end_tokens
    from nextword.tokenizer.tokenizer import Tokenizer

    if precision not in PRECISIONS:
        raise BadInput(f"no precision is called {precision!r}", do=f"choose {' or '.join(PRECISIONS)}")
    if threads:
        torch.set_num_threads(threads)
    tokenizer = Tokenizer.load(folder)
    model = load_checkpoint(folder, PRECISIONS[precision], chosen_device(device)).eval()
    return LocalModel(TorchDriver(model, str(folder)), tokenizer, _ends(tokenizer, end_tokens(folder)), batch)
