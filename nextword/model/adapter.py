"""The adapter folder: a LoRA adapter as PEFT writes it, so that peft and vLLM open ours and we open theirs.

    adapter_config.json             rank, alpha, which layers, which base
    adapter_model.safetensors       base_model.model.NAME.lora_A.weight, .lora_B.weight of each adapted layer

NAME is the layer's name in the model. Which layers are adapted is read from these names, not from the
patterns of `target_modules`; what would change the numbers in a way we do not compute (DoRA, trained biases,
whole modules beside the adapter) is refused by name.

The finished model is `merged_model`: the base read again from its folder, in its own precision, widened to
fp32, and the change added. So an adapter that was trained over 4-bit weights is merged into the true ones.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.files import folder_written_atomically, read_json, write_json
from nextword.model.checkpoint import load_checkpoint
from nextword.model.llama import Llama
from nextword.model.lora import (
    LoraConfig,
    absorb,
    adapt,
    adapted_layers,
    check_targets,
    linear_layers,
)

OURS = CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
PARTS = (".lora_A.weight", ".lora_B.weight", ".base_layer.weight")
MISFIT = "is it of another base model?"
PLAIN: dict[str, Any] = {
    "bias": "none",
    "fan_in_fan_out": False,
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
}
"""Fields that would change the numbers, at the values where they do not: as we write them."""

NEWER = (
    *("use_dora", "use_qalora", "lora_bias", "trainable_token_indices", "target_parameters"),
    *("layer_replication", "alora_invocation_tokens", "use_bdlora", "arrow_config", "kasa_config"),
    *("velora_config", "monteclora_config"),
)
"""Fields of the same kind that older readers do not know, so we do not write them; false or null is plain."""

STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""Values of init_lora_weights that leave the base as it is; PiSSA, OLoRA, LoftQ and the like change it."""


def save_adapter(model: Llama, folder: Path, base: Path | str) -> None:
    """Write a model's adapter atomically; base is named in it, as a folder or as a name on a hub."""
    layers = dict(adapted_layers(model))
    config = next(iter(layers.values())).config
    tensors = {}
    for name, layer in layers.items():
        for part, module in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
            tensors[f"{PREFIX}{name}.{part}.weight"] = module.weight.detach().float().cpu().contiguous()
    with folder_written_atomically(folder, OURS) as written:
        write_json(written / CONFIG, _config_to_json(config, _targets(model, list(layers)), str(base)))
        try:
            save_file(tensors, written / WEIGHTS, metadata={"format": "pt"})
        except SafetensorError as error:
            do = "free some space or choose another folder; the previous one is untouched"
            raise Failure(f"cannot be written ({error})", where=folder / WEIGHTS, do=do) from error


def load_adapter(model: Llama, folder: Path) -> None:
    """Freeze a plain model and put a folder's adapter beside its layers.

    BadInput when it does not fit the model or is of a kind we do not compute, Corrupt for damaged files.
    """
    config, tensors = _read_config(folder / CONFIG), _read_tensors(folder / WEIGHTS)
    names = {name.rpartition(".lora_")[0] for name in tensors if ".lora_" in name}
    config = LoraConfig(
        config.rank,
        config.alpha,
        tuple(sorted({name.rpartition(".")[2] for name in names})),
        config.dropout,
        config.by_root,
    )
    check_targets(model, config)
    known = set(linear_layers(model, config.targets))
    for name in sorted(names):
        if name not in known:
            raise BadInput(f"adapts {name:.80}, which the model does not have", where=folder, do=MISFIT)
    model.requires_grad_(False)
    for name in sorted(names):
        _check_copy(model.get_submodule(name), tensors.pop(f"{name}.base_layer.weight", None), name, folder)
        layer = adapt(model, name, config)
        for part, module in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
            _fill(module.weight, tensors.pop(f"{name}.{part}.weight", None), f"{name}.{part}", folder)
    if tensors:
        raise BadInput(f"{next(iter(tensors)):.80} has no place in the model", where=folder, do=MISFIT)


def merged_model(base: Path, adapter: Path) -> Llama:
    """The base of a folder with an adapter's change in its weights: a plain model in fp32, on the CPU."""
    model = load_checkpoint(base, torch.float32)
    load_adapter(model, adapter)
    return absorb(model)


def _fill(parameter: Tensor, stored: Tensor | None, name: str, folder: Path) -> None:
    if stored is None or stored.shape != parameter.shape:
        found = "missing" if stored is None else str(tuple(stored.shape))
        raise BadInput(f"{name} is {found}, expected {tuple(parameter.shape)}", where=folder, do=MISFIT)
    with torch.no_grad():
        parameter.copy_(stored)


def _check_copy(base: Any, stored: Tensor | None, name: str, folder: Path) -> None:
    """PEFT puts a copy of the base's own head beside an adapter of the head; it must be that."""
    if stored is not None and not torch.equal(stored.to(base.weight.dtype), base.weight.cpu()):
        raise BadInput(f"was trained over another {name}", where=folder, do=MISFIT)


def _targets(model: Llama, adapted: list[str]) -> list[str]:
    """The last parts of the names where they say it all; all of each when only some layers are adapted."""
    ends = sorted({name.rpartition(".")[2] for name in adapted})
    every = [name.removesuffix(".base") for name, module in model.named_modules() if _is_linear(name, module)]
    return ends if all(name in adapted for name in every if name.rpartition(".")[2] in ends) else adapted


def _is_linear(name: str, module: Any) -> bool:
    return hasattr(module, "in_features") and ".lora_" not in name


def _config_to_json(config: LoraConfig, targets: list[str], base: str) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
        "use_rslora": config.by_root,
        "target_modules": targets,
        "init_lora_weights": True,
        "inference_mode": True,
        **PLAIN,
    }


def _read_config(path: Path) -> LoraConfig:
    value = read_json(path)
    if not isinstance(value, dict):
        raise Corrupt("not a JSON object", where=path)
    if value.get("peft_type") != "LORA":
        raise BadInput(f"its kind is {value.get('peft_type')!r:.80}", where=path, do="we open LoRA adapters")
    for name in (*PLAIN, *NEWER, "init_lora_weights"):
        found, plain = value.get(name), PLAIN.get(name)
        is_plain = found in STARTS if name == "init_lora_weights" else not found or found == plain
        if not is_plain:
            raise BadInput(f"{name} is {found!r:.80}, which we do not compute", where=path)
    rank, alpha, dropout = (value.get(name, 0) for name in ("r", "lora_alpha", "lora_dropout"))
    if type(rank) is not int or not all(_is_number(one) for one in (alpha, dropout)):
        what = f"r {rank!r:.20}, lora_alpha {alpha!r:.20}, lora_dropout {dropout!r:.20} are not numbers"
        raise BadInput(what, where=path)
    return LoraConfig(rank, float(alpha), dropout=float(dropout), by_root=value.get("use_rslora") is True)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by the names that they have in the model."""
    if not path.exists():
        pickled = path.with_suffix(".bin").exists()
        what = "its weights are pickled, which can run code when opened" if pickled else "no such file"
        raise BadInput(what, where=path, do="have peft save it again (safetensors is its default)")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise Corrupt(f"not a whole safetensors file ({error})", where=path, do="get it again") from error
    stray = [name for name in tensors if not (name.startswith(PREFIX) and name.endswith(PARTS))]
    if stray or not tensors:
        raise BadInput(f"{(stray or ['no tensor'])[0]:.80} is not of a LoRA adapter", where=path)
    return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
