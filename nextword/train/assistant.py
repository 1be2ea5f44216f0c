"""An assistant to be trained further: its model, tokenizer, template and the tokens that end its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import xxhash
from torch import Tensor, nn

from nextword import engine
from nextword.common.language_model import LanguageModel
from nextword.engine.local import LocalModel
from nextword.engine.torch_driver import TorchDriver
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.config_file import end_tokens
from nextword.model.llama import Llama
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True)
class Assistant:
    """A checkpoint folder, opened. `ends` are the tokens that end an answer."""

    folder: Path
    model: Llama
    tokenizer: Tokenizer
    chat: ChatTemplate
    ends: frozenset[int]

    @staticmethod
    def open(path: Path, device: torch.device) -> Assistant:
        """Open a run's model or a checkpoint folder, to be trained; BadInput when it cannot converse."""
        folder = engine.model_folder(path)
        tokenizer = Tokenizer.load(folder)
        chat = ChatTemplate(tokenizer)
        chat.check()
        model = in_own_memory(load_checkpoint(folder, torch.float32, device))
        eos = () if tokenizer.eos is None else (tokenizer.eos,)
        return Assistant(folder, model, tokenizer, chat, chat.stop_ids.union(end_tokens(folder), eos))

    @property
    def context(self) -> int:
        """The most tokens it reads."""
        return self.model.config.context

    @property
    def pad(self) -> int:
        """A token that never ends a text: the tokenizer's own, unless it doubles as the end."""
        pads = (self.tokenizer.pad, *self.tokenizer.special.values(), 0)
        return next((id for id in pads if id is not None and id not in self.ends), 0)

    def save(self, model: Llama, folder: Path) -> None:
        """Write weights that grew from this assistant as a checkpoint folder of the same kind."""
        save_checkpoint(model, folder, self.folder, ends=tuple(sorted(self.ends)))

    def speaking(self, model: Llama, batch: int) -> LanguageModel:
        """A LanguageModel over weights in memory, which are used where they are."""
        return LocalModel(TorchDriver(model), self.tokenizer, self.ends, batch)


def in_own_memory(model: Llama) -> Llama:
    """The model with its weights copied out of the mapped file.

    There they may lie at odd addresses, where products round otherwise than after a checkpoint was loaded
    over them; copied, a resumed run computes what the first one did, bit for bit.
    """
    with torch.no_grad():
        for parameter in dict.fromkeys(model.parameters()):  # a tied one once
            parameter.data = parameter.detach().clone()
    return model


def fingerprint(module: nn.Module) -> str:
    """A hash of all weights by name."""
    digest = xxhash.xxh3_128()
    for name, parameter in sorted(module.named_parameters()):
        digest.update(name.encode())
        digest.update(_bytes(parameter.detach()))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
