"""docs/formats.md names what the code writes."""

import re
from pathlib import Path

import pytest

from nextword.common.progress import Progress
from nextword.release import inspect
from nextword.release.parameters import write_parameters
from nextword.runner.build import SOURCE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", ["llama3", "qwen2", "qwen3"])
def test_every_key_and_tensor_we_write_is_on_the_page(folders, tmp_path, case):
    folder = folders.write_folder(tmp_path / case, folders.CASES[case])
    write_parameters(folder, tmp_path / "a.gguf", "F32", Progress("release"))
    found = inspect(tmp_path / "a.gguf")
    architecture = found.keys["general.architecture"]
    names = [re.sub(f"^{architecture}\\.", "A.", key) for key in found.keys]
    tensors = [re.sub(r"^blk\.\d+\.", "blk.N.", tensor.name) for tensor in found.tensors]
    tensors = [re.sub(r"attn_[kv](\.bias|_norm)", r"attn_q\1", name) for name in tensors]  # one row for all
    assert [name for name in [*names, *tensors] if f"`{name}`" not in PAGE] == []


def test_every_function_of_the_library_is_on_the_page():
    functions = set(
        re.findall(r"^PUBLIC [^(]*?\b(nw_\w+)\(", SOURCE.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(functions) > 10 and {name for name in functions if f"`{name}" not in PAGE} == set()
