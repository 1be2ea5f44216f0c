"""The same network with another head: a number for every position, instead of a next token.

As a reward model the number at a text's last token says how good the text is; as a value function the number
before each token says what is still to come. The trunk is Llama's to the letter (it is the assistant's,
trained on), the head one row of weights.

The folder is Hugging Face's `LlamaForSequenceClassification` with one label: parameter names are its own
(`score.weight`), and `pad_token_id` is set, since it finds a text's last token by it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nextword.common.errors import BadInput
from nextword.common.files import folder_written_atomically, read_json, write_json
from nextword.model.checkpoint import OURS, save_tensors, stored_tensors
from nextword.model.config import ModelConfig
from nextword.model.config_file import config_from_json, config_to_json
from nextword.model.llama import Cache, Linear, Llama, Mask, rope_frequencies

CAUSAL, CLASSIFIER = "ForCausalLM", "ForSequenceClassification"
MISFIT = "config.json does not belong to these weights"


class ScalarLlama(Llama):
    """Llama's trunk and a head of one row: `hidden` is inherited, `forward` gives numbers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(
            replace(config, tie_word_embeddings=True)
        )  # no head of V rows, not even for a moment
        self.config = replace(config, tie_word_embeddings=False)
        del self.lm_head
        self.score = Linear(config.hidden_size, 1, bias=False)

    @staticmethod
    def on(trunk: Llama, seed: int) -> ScalarLlama:
        """A new head on a copy of a model's trunk: normal(0, 1 / sqrt(C + 1)), as Ziegler et al. 2019."""
        model = ScalarLlama(trunk.config).to(trunk.frequencies.device)
        model.model.load_state_dict(trunk.model.state_dict())
        model.restart(seed)
        return model

    def restart(self, seed: int) -> None:
        """Forget what the head has learnt; the trunk stays."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(self.score.weight.shape, generator=generator)
        with torch.no_grad():
            self.score.weight.copy_(noise / (self.config.hidden_size + 1) ** 0.5)

    def values(self, hidden: Tensor) -> Tensor:
        """The numbers of hidden states: (..., C) -> (...) fp32."""
        return self.score(hidden)[..., 0].float()  # type: ignore[no-any-return]

    def forward(
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        mask: Mask = None,
        cache: Cache | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """A number for each position: ids (B, T) -> (B, T) fp32."""
        return self.values(self.hidden(ids, positions, mask, cache, dtype))


def save_scalar(model: ScalarLlama, folder: Path, pad: int, tokenizer: Path | None = None) -> None:
    """Write the folder atomically; pad is the token that never ends a text."""
    config = model.config
    causal = config_to_json(config)
    shape = {
        **causal,
        "architectures": [causal["architectures"][0].replace(CAUSAL, CLASSIFIER)],
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "pad_token_id": pad,
    }
    with folder_written_atomically(folder, OURS) as part:
        save_tensors(config, model.state_dict(), part, tokenizer, torch.float32)
        write_json(part / "config.json", shape)


def load_scalar(folder: Path, device: torch.device | str = "cpu", verify: bool = True) -> ScalarLlama:
    """Open a folder of a one-label classifier, ours or transformers', in fp32.

    Raises BadInput when it is something else, Corrupt for damaged files.
    """
    config = _read_config(folder / "config.json")
    tensors = dict(stored_tensors(folder, config, verify))
    if f"model.layers.{config.num_hidden_layers - 1}.input_layernorm.weight" not in tensors:
        raise BadInput(f"has no layer {config.num_hidden_layers - 1}", where=folder, do=MISFIT)
    with torch.device("meta"):
        model = ScalarLlama(config)
    wanted = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in (*wanted, *found):
        if wanted.get(name) != found.get(name):
            what = f"{name} is {found.get(name)}, config.json says {wanted.get(name)}"
            raise BadInput(what, where=folder, do=MISFIT)
    model.load_state_dict({name: one.to(device, torch.float32) for name, one in tensors.items()}, assign=True)
    model.frequencies = rope_frequencies(config).to(device)
    return model


def _read_config(path: Path) -> ModelConfig:
    value = read_json(path)
    names = value.get("architectures") if isinstance(value, dict) else None
    name = str(names[0]) if isinstance(names, list) and names else "?"
    labels = len(value.get("id2label") or {}) if isinstance(value, dict) else 0
    if not name.endswith(CLASSIFIER) or value.get("num_labels", labels) != 1:
        do = "make one with `nextword reward`"
        raise BadInput(f"not a reward model (a {CLASSIFIER} with one label): {name:.80}", where=path, do=do)
    return config_from_json({**value, "architectures": [name.replace(CLASSIFIER, CAUSAL)]}, where=path)
