"""The checkpoint folder: Hugging Face's layout, so that transformers and vLLM open ours and we open theirs.

    config.json                     the shape
    model.safetensors               the weights; or model-00001-of-00003.safetensors … with
    model.safetensors.index.json    which tensor is in which
    generation_config.json          which tokens begin and end a text
    tokenizer.json, …               copied from the tokenizer's folder

Our modules' parameter names are Hugging Face's, so no table converts between them. Weights are mapped, not
read: opening costs what the pages touched cost. safetensors has no checksum, so ours carry one in their
header's metadata (xxh3 of the file's tensors, and of the shape they belong to); folders from elsewhere have
none and are checked for names, shapes and length only. No pickle: `pytorch_model.bin` is not opened.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nextword.common.errors import BadInput, Corrupt, Failure
from nextword.common.files import folder_written_atomically, read_json, write_json
from nextword.model.config import ModelConfig
from nextword.model.config_file import config_to_json, read_config
from nextword.model.llama import Llama, rope_frequencies

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "tokenizer.model",
)
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
OURS = ("config.json", "generation_config.json", *TOKENIZER_FILES, WEIGHTS, INDEX, "model-*-of-*.safetensors")
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
CHECKSUM, SHAPE = "nextword.xxh3", "nextword.shape"


def save_checkpoint(
    model: Llama,
    folder: Path,
    tokenizer: Path | None = None,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = 5 << 30,
    ends: tuple[int, ...] = (),
) -> None:
    """Write the model's folder atomically, with the tokenizer's files copied in.

    dtype converts the weights on the way (None keeps theirs); ends are the tokens with which an answer ends,
    where the configuration's own is not all. Raises Failure when the disk is full; what
    `folder` held before is then untouched.
    """
    save_tensors(model.config, model.state_dict(), folder, tokenizer, dtype, max_shard_bytes, ends)


def save_tensors(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    folder: Path,
    tokenizer: Path | None = None,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = 5 << 30,
    ends: tuple[int, ...] = (),
) -> None:
    """`save_checkpoint` for weights that are not in one module: a state dict gathered from many ranks."""
    kept = {
        name: tensor for name, tensor in tensors.items() if name != HEAD or not config.tie_word_embeddings
    }
    dtype = dtype or kept[EMBEDDING].dtype
    shards = list(_shards(kept, dtype.itemsize, max_shard_bytes))
    with folder_written_atomically(folder, OURS) as part:
        write_json(part / "config.json", config_to_json(config, str(dtype).removeprefix("torch.")))
        write_json(part / "generation_config.json", _generation_config(config, ends))
        for name in TOKENIZER_FILES if tokenizer else ():
            if (source := Path(tokenizer or "") / name).exists():
                shutil.copyfile(source, part / name)
        where: dict[str, str] = {}
        for number, names in enumerate(shards, 1):
            file = WEIGHTS if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
            _write_shard(part / file, {name: kept[name].detach().to("cpu", dtype) for name in names}, config)
            where |= dict.fromkeys(names, file)
        if len(shards) > 1:
            total = sum(tensor.numel() * dtype.itemsize for tensor in kept.values())
            write_json(part / INDEX, {"metadata": {"total_size": total}, "weight_map": where})


def load_checkpoint(
    folder: Path,
    dtype: torch.dtype | None = torch.float32,
    device: torch.device | str = "cpu",
    verify: bool = True,
) -> Llama:
    """Open a Llama, Mistral, Qwen2 or Qwen3 folder: ready to train or to run on `device`.

    dtype None keeps the stored one; then weights on the CPU stay mapped from the file. verify checks the
    checksums that our own folders carry (one reading of the weights). Raises BadInput or Corrupt with the
    tensor or file at fault.
    """
    config = read_config(folder / "config.json")
    files = _weight_files(folder)
    shapes = _stored_shapes(files)
    model = _empty_model(config, shapes, folder)
    _check_fit(model, shapes, folder)
    stray_head = None
    for name, tensor in _tensors(files, config, verify):
        if tensor.dtype not in DTYPES:
            do = "take a folder with plain weights"
            raise BadInput(f"{name} is {tensor.dtype}, expected fp32, fp16 or bf16", where=folder, do=do)
        if name == HEAD and config.tie_word_embeddings:
            stray_head = tensor
        else:
            _assign(model, name, tensor.to(device, dtype))
    if stray_head is not None and not torch.equal(stray_head.to(device, dtype), model.lm_head.weight):
        do = "set tie_word_embeddings to false if the head is its own"
        raise BadInput(f"config.json ties {HEAD} to {EMBEDDING}, but they differ", where=folder, do=do)
    model.frequencies = rope_frequencies(config).to(device)
    left = [name for name, tensor in (*model.named_parameters(), *model.named_buffers()) if tensor.is_meta]
    assert not left, f"{left} were not filled: a new buffer in Llama must be filled here"
    return model


def stored_tensors(folder: Path, config: ModelConfig, verify: bool = True) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a folder's weight files by name, checked by the checksums that ours carry."""
    return _tensors(_weight_files(folder), config, verify)


def has_checksums(folder: Path) -> bool:
    """Whether every weight file of a folder carries a checksum, as those that we wrote do."""
    return all(CHECKSUM in (_open(path).metadata() or {}) for path in _weight_files(folder))


def _generation_config(config: ModelConfig, ends: tuple[int, ...]) -> dict[str, Any]:
    ids = {"bos_token_id": config.bos_token_id, "eos_token_id": list(ends) or config.eos_token_id}
    return {name: id for name, id in ids.items() if id is not None}


def _shards(tensors: Mapping[str, Tensor], itemsize: int, limit: int) -> Iterator[list[str]]:
    """Names in order, a new shard whenever the next tensor would pass the limit."""
    names: list[str] = []
    size = 0
    for name, tensor in tensors.items():
        if names and size + tensor.numel() * itemsize > limit:
            yield names
            names, size = [], 0
        names.append(name)
        size += tensor.numel() * itemsize
    yield names


def _write_shard(path: Path, tensors: dict[str, Tensor], config: ModelConfig) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = {"format": "pt", CHECKSUM: _checksum(tensors), SHAPE: _fingerprint(config)}
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:
        do = "free some space or choose another folder; the previous one is untouched"
        raise Failure(f"cannot be written ({error})", where=path, do=do) from error


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = xxhash.xxh3_128()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _fingerprint(config: ModelConfig) -> str:
    """Of all that changes the numbers; a person may edit how long a context is and which token ends it."""
    shape = asdict(config)
    for free in ("max_position_embeddings", "sliding_window", "bos_token_id", "eos_token_id"):
        del shape[free]
    return xxhash.xxh3_64_hexdigest(json.dumps(shape, sort_keys=True).encode())


def _weight_files(folder: Path) -> list[Path]:
    if (folder / INDEX).exists():
        index = read_json(folder / INDEX)
        where = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(where, dict) or not all(isinstance(name, str) for name in where.values()):
            raise Corrupt("has no weight_map of names to files", where=folder / INDEX)
        names = sorted(set(where.values()))
        if escaping := [name for name in names if Path(name).name != name]:
            raise BadInput(f"{escaping[0]!r:.80} is not a file of this folder", where=folder / INDEX)
        return [folder / name for name in names]
    if not (folder / WEIGHTS).exists() and list(folder.glob("*.bin")):
        do = "have transformers save it again (safetensors is its default)"
        raise BadInput("its weights are pickled, which can run code when opened", where=folder, do=do)
    return [folder / WEIGHTS]


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError as error:
        raise BadInput("no such file", where=path, do="the folder is not complete") from error
    except (SafetensorError, OSError) as error:
        raise Corrupt(f"not a whole safetensors file ({error})", where=path, do="get it again") from error


def _stored_shapes(files: list[Path]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        with _open(path) as file:
            for name in _names(file):
                shapes[name] = tuple(file.get_slice(name).get_shape())
    return shapes


def _names(file: Any) -> list[str]:
    """The tensors of an opened file, less what old folders carry though config.json says it already."""
    return [name for name in file.keys() if not name.endswith("rotary_emb.inv_freq")]  # noqa: SIM118


def _empty_model(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]], folder: Path) -> Llama:
    """The module without memory behind it. First the two sizes that a broken config could make absurd."""
    expected = (config.vocab_size, config.hidden_size)
    if (found := shapes.get(EMBEDDING)) != expected:
        raise _misfit(EMBEDDING, found, expected, folder)
    last = f"model.layers.{config.num_hidden_layers - 1}.input_layernorm.weight"
    if last not in shapes:
        raise _misfit(last, None, (config.hidden_size,), folder)
    try:
        with torch.device("meta"):
            return Llama(config)
    except RuntimeError as error:
        raise BadInput(f"no tensor has such a shape ({error})", where=folder / "config.json") from error


def _check_fit(model: Llama, shapes: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    wanted = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    for name, shape in wanted.items():
        if shapes.get(name) != shape:
            raise _misfit(name, shapes.get(name), shape, folder)
    tied = {HEAD: wanted[EMBEDDING]} if model.config.tie_word_embeddings else {}
    for name, found in shapes.items():
        if (wanted | tied).get(name) != found:
            do = "is it of another architecture than config.json says?"
            raise BadInput(f"{name} {found} has no place in the model", where=folder, do=do)


def _misfit(name: str, found: tuple[int, ...] | None, shape: tuple[int, ...], folder: Path) -> BadInput:
    do = "config.json does not belong to these weights, or a file is missing"
    what = f"{name} is missing, expected" if found is None else f"{name} is {found}, config.json says"
    return BadInput(f"{what} {shape}", where=folder, do=do)


def _tensors(files: list[Path], config: ModelConfig, verify: bool) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of every file, a file at a time, each checked by its own checksum where it has one."""
    for path in files:
        with _open(path) as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in _names(file)}
        if verify and metadata.get(CHECKSUM, "") not in ("", _checksum(tensors)):
            raise Corrupt("its checksum does not fit its weights", where=path, do="restore it from a copy")
        if verify and metadata.get(SHAPE, "") not in ("", _fingerprint(config)):
            do = "restore it, or open with verify=False if the change is meant"
            raise Corrupt("config.json is not as it was saved with these weights", where=path.parent, do=do)
        yield from tensors.items()


def _assign(model: Llama, name: str, tensor: Tensor) -> None:
    module, _, attribute = name.rpartition(".")
    owner = model.get_submodule(module)
    setattr(owner, attribute, nn.Parameter(tensor))
    if name == EMBEDDING and model.config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
