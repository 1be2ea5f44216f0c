"""config.json: a Llama-family shape as Hugging Face writes it, read strictly and written for every reader.

    architecture          what it adds to Llama                         our switch
    LlamaForCausalLM
    MistralForCausalLM    a sliding window                              sliding_window (as a limit of context)
    Qwen2ForCausalLM      bias on the query, key and value projections  attention_bias
    Qwen3ForCausalLM      RMSNorm on each head's query and key          qk_norm

A field that would change the numbers and that we do not compute (another activation, a bias on every
projection, a partial rotation, YaRN, quantised weights) is refused by name: a model that opens is computed
as its makers meant. Within its window a sliding-window model is a plain one, so the window is honoured by
limiting the context to it (`ModelConfig.context`) instead of by a mask.

RoPE is written twice: `rope_parameters`, which transformers 5 reads, and `rope_theta` with `rope_scaling`,
which everything older does. `dtype` and `torch_dtype` are such a pair too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import read_json
from nextword.model.config import ModelConfig, RopeScaling

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
"""Architecture to `model_type`."""

OPENED = "Llama, Mistral, Qwen2 and Qwen3 (…ForCausalLM)"


def read_config(path: Path) -> ModelConfig:
    """The shape in a config.json; Corrupt when it does not parse, BadInput when we cannot compute it."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise Corrupt("not a JSON object", where=path)
    return config_from_json(value, where=path)


def end_tokens(folder: Path) -> tuple[int, ...]:
    """The tokens that end a text: eos_token_id of generation_config.json, one or several, or config.json's.

    Corrupt for a file that does not parse, BadInput for what is no token id.
    """
    for path in (folder / "generation_config.json", folder / "config.json"):
        value = read_json(path) if path.exists() else {}
        if not isinstance(value, dict):
            raise Corrupt("not a JSON object", where=path)
        if ids := _Fields(value, path).tokens("eos_token_id"):
            return ids
    return ()


def config_from_json(value: dict[str, Any], where: str | Path = "config.json") -> ModelConfig:
    """The shape that config.json's fields describe, each checked for its type."""
    fields = _Fields(value, where)
    architecture = _architecture(fields)
    _refuse_what_we_do_not_compute(fields, architecture)
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    try:
        theta, scaling = _rope(fields)
        return ModelConfig(
            vocab_size=fields.count("vocab_size"),
            hidden_size=hidden,
            intermediate_size=fields.count("intermediate_size"),
            num_hidden_layers=fields.count("num_hidden_layers"),
            num_attention_heads=heads,
            num_key_value_heads=fields.count("num_key_value_heads", heads),
            head_dim=fields.count("head_dim", 128 if architecture == "Qwen3ForCausalLM" else hidden // heads),
            max_position_embeddings=fields.count("max_position_embeddings", 2048),
            rope_theta=theta,
            rope_scaling=scaling,
            rms_norm_eps=fields.number("rms_norm_eps", 1e-6),
            tie_word_embeddings=fields.flag("tie_word_embeddings", False),
            attention_bias=architecture == "Qwen2ForCausalLM",
            qk_norm=architecture == "Qwen3ForCausalLM",
            sliding_window=_sliding_window(fields, architecture),
            bos_token_id=fields.token("bos_token_id"),
            eos_token_id=fields.token("eos_token_id"),
        )
    except BadInput as error:
        raise BadInput(error.what, where=where, do=error.do) from error


def architecture_of(config: ModelConfig) -> str:
    """The Hugging Face class that computes this shape; BadInput for a mix of switches that none has."""
    switches = {
        "Qwen2ForCausalLM": config.attention_bias,
        "Qwen3ForCausalLM": config.qk_norm,
        "MistralForCausalLM": config.sliding_window is not None,
    }
    wanted = [name for name, is_on in switches.items() if is_on]
    if len(wanted) > 1:
        raise BadInput(f"no one architecture is both {' and '.join(wanted)}", where="config.json")
    return wanted[0] if wanted else "LlamaForCausalLM"


def config_to_json(config: ModelConfig, dtype: str = "float32") -> dict[str, Any]:
    """Every field of config.json for this shape; dtype is that of the weights beside it."""
    architecture = architecture_of(config)
    rope: dict[str, Any] = {"rope_type": "default"}
    if config.rope_scaling is not None:
        rope = {"rope_type": "llama3", **vars(config.rope_scaling)}
    value: dict[str, Any] = {
        "architectures": [architecture],
        "model_type": ARCHITECTURES[architecture],
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_position_embeddings,
        "initializer_range": 0.02,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": rope if config.rope_scaling is not None else None,
        "rope_parameters": {**rope, "rope_theta": config.rope_theta},
        "attention_dropout": 0.0,
        "tie_word_embeddings": config.tie_word_embeddings,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
        "use_cache": True,
        "dtype": dtype,
        "torch_dtype": dtype,
    }
    if architecture in ("LlamaForCausalLM", "Qwen3ForCausalLM"):
        value["attention_bias"] = False
    if architecture == "LlamaForCausalLM":
        value |= {"mlp_bias": False, "pretraining_tp": 1}
    if architecture == "MistralForCausalLM":
        value["sliding_window"] = config.sliding_window
    if architecture.startswith("Qwen"):
        value |= {"use_sliding_window": False, "max_window_layers": config.num_hidden_layers}
    return value


class _Fields:
    """config.json's fields, read by type; a field that does not fit ends in one line naming it."""

    def __init__(self, value: dict[str, Any], where: str | Path) -> None:
        self.value, self.where = value, where

    def get(self, name: str, default: Any, kinds: tuple[type, ...], expected: str) -> Any:
        found = self.value.get(name)
        if found is None:
            if default is None:
                raise BadInput(f"has no {name}", where=self.where)
            return default
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            raise BadInput(f"{name} is {found!r:.80}, expected {expected}", where=self.where)
        return found

    def count(self, name: str, default: int | None = None) -> int:
        found: int = self.get(name, default, (int,), "a whole number")
        if not 1 <= found < 1 << 31:
            raise BadInput(f"{name} is {found}, expected 1 to 2**31", where=self.where)
        return found

    def number(self, name: str, default: float | None = None) -> float:
        return float(self.get(name, default, (int, float), "a number"))

    def flag(self, name: str, default: bool) -> bool:
        return bool(self.get(name, default, (bool,), "true or false"))

    def table(self, name: str) -> _Fields:
        return _Fields(self.get(name, {}, (dict,), "an object or null"), f"{self.where} {name}")

    def token(self, name: str) -> int | None:
        """A token id, the first when several are given, None when none is."""
        return next(iter(self.tokens(name)), None)

    def tokens(self, name: str) -> tuple[int, ...]:
        """Token ids, written as one or as a list; a negative one stands for none."""
        found = self.get(name, [], (int, list), "a token id")
        ids = found if isinstance(found, list) else [found]
        if any(type(id) is not int for id in ids):
            raise BadInput(f"{name} is {found!r:.80}, expected token ids", where=self.where)
        return tuple(id for id in ids if id >= 0)


def _architecture(fields: _Fields) -> str:
    named = fields.value.get("architectures") or []
    if isinstance(named, list) and len(named) == 1 and str(named[0]) in ARCHITECTURES:
        return str(named[0])
    by_type = {model_type: name for name, model_type in ARCHITECTURES.items()}
    model_type = fields.value.get("model_type")
    if not named and isinstance(model_type, str) and model_type in by_type:
        return by_type[model_type]
    shown = ", ".join(str(name) for name in named) if isinstance(named, list) and named else model_type
    raise BadInput(f"its architecture is {shown!r:.80}", where=fields.where, do=f"we open {OPENED}")


def _refuse_what_we_do_not_compute(fields: _Fields, architecture: str) -> None:
    computed = {"hidden_act": "silu", "mlp_bias": False, "partial_rotary_factor": 1.0}
    if architecture != "Qwen2ForCausalLM":  # there the bias is part of the architecture, and not on o_proj
        computed["attention_bias"] = False
    for name, ours in computed.items():
        found = fields.value.get(name)
        if found is not None and found != ours:
            raise BadInput(f"{name} is {found!r:.80}, we compute only {ours!r}", where=fields.where)
    if fields.value.get("quantization_config"):
        raise BadInput(
            "the weights are quantised",
            where=fields.where,
            do="take the folder with plain bf16 or fp32 weights",
        )


def _rope(fields: _Fields) -> tuple[float, RopeScaling | None]:
    table = fields.table("rope_parameters" if fields.value.get("rope_parameters") else "rope_scaling")
    theta = table.number("rope_theta", fields.number("rope_theta", 10_000.0))
    kind = table.value.get("rope_type", table.value.get("type", "default"))
    if kind == "default":
        return theta, None
    if kind != "llama3":
        raise BadInput(
            f"rope_type is {kind!r:.80}", where=table.where, do="we compute 'default' and 'llama3'"
        )
    old_context = fields.value.get("max_position_embeddings")
    return theta, RopeScaling(
        factor=table.number("factor"),
        low_freq_factor=table.number("low_freq_factor"),
        high_freq_factor=table.number("high_freq_factor"),
        original_max_position_embeddings=table.count("original_max_position_embeddings", old_context),
    )


def _sliding_window(fields: _Fields, architecture: str) -> int | None:
    """Mistral's window. Qwen's slides in some layers only, and in no published Qwen2 or Qwen3 is it on."""
    if architecture == "MistralForCausalLM":
        return fields.count("sliding_window") if fields.value.get("sliding_window") is not None else None
    kinds = fields.value.get("layer_types")
    slides = "sliding_attention" in kinds if isinstance(kinds, list) else False
    if architecture.startswith("Qwen") and (slides or fields.flag("use_sliding_window", False)):
        raise BadInput(
            "its window slides in some layers only", where=fields.where, do="we compute full attention"
        )
    return None
