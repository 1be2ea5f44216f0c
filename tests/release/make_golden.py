"""Writes golden/: what llama.cpp and its converter make of the folders in `folders.py`.

    .venv/bin/python tests/release/make_golden.py [LLAMA_CPP_SOURCES]

Needs `make peers`. With the sources of llama.cpp (they come inside llama-cpp-python's own source archive,
`pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36`), the converter's files are described
again too. Its list of known tokenizers is a list of hashes, one a model; ours is none of them, so that one
question is answered for it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from folders import CASES, PROMPT, write_folder

from nextword.common.files import write_json
from nextword.common.progress import Progress
from nextword.release.gguf_file import Inspection, inspect
from nextword.release.parameters import write_parameters

HERE = Path(__file__).parent
PEERS = HERE.parents[1] / ".peers"
CONVERTER = """
import sys
root, folder, out, kind = sys.argv[1:]
sys.path[:0] = [root, root + "/gguf-py"]
import conversion.base, conversion.llama
conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "llama-bpe"
set_vocab = conversion.base.TextModel._set_vocab_gpt2
conversion.base.TextModel._set_vocab_sentencepiece = set_vocab
import transformers
transformers.AutoTokenizer = transformers.PreTrainedTokenizerFast  # else Qwen's, whatever the folder holds
import convert_hf_to_gguf
sys.argv = ["convert", folder, "--outtype", kind, "--outfile", out]
convert_hf_to_gguf.main()
"""
TEXTS = [
    "the next word",
    "  12345 67\n\n",
    "다음 낱말: 한국어",
    "中文🦙\u200d🚀",
    "<|bos|> I'LL 're\t\r\n x\u00a0y",
]


def ask(**question):
    """One question to llama.cpp."""
    command = [str(PEERS / "llama" / "bin" / "python"), str(HERE / "llama_cpp_peer.py")]
    answer = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def described(path: Path, found: Inspection) -> dict:
    """Keys (long ones by their hash) and tensors (by type, shape and hash) of a GGUF file."""
    data = path.read_bytes()
    keys = {}
    for name, value in found.keys.items():
        text = json.dumps(value)
        keys[name] = value if len(text) < 100 else "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    tensors = {
        tensor.name: [
            tensor.type.name,
            list(tensor.shape),
            hashlib.sha256(data[tensor.offset : tensor.offset + tensor.size]).hexdigest(),
        ]
        for tensor in found.tensors
    }
    return {"keys": keys, "tensors": dict(sorted(tensors.items()))}


def converted(sources: str, folder: Path, out: Path, kind: str) -> dict:
    """The converter's own file, described."""
    python = PEERS / "transformers" / "bin" / "python"
    command = [str(python), "-c", CONVERTER, sources, str(folder), str(out), kind]
    subprocess.run(command, check=True, capture_output=True)
    return described(out, inspect(out))


def main() -> None:
    """Make all of them."""
    golden = HERE / "golden"
    quantised = {"seed": 3, "rows": 64}
    write_json(golden / "quantise.json", quantised | ask(ask="quantise", seed=3, rows=64, columns=256))
    with tempfile.TemporaryDirectory() as temporary:
        for name, config in CASES.items():
            folder = write_folder(Path(temporary) / name, config)
            gguf = Path(temporary) / f"{name}.gguf"
            write_parameters(folder, gguf, "F32", Progress(name))
            greedy = ask(ask="greedy", gguf=str(gguf), context=256, prompt=PROMPT, count=128)
            texts = {"texts": TEXTS, "ids": ask(ask="tokenize", gguf=str(gguf), texts=TEXTS)["ids"]}
            write_json(golden / name / "llama_cpp.json", {"greedy": greedy, "tokenize": texts})
            for kind in ("f32", "q8_0") if len(sys.argv) > 1 else ():
                found = converted(sys.argv[1], folder, Path(temporary) / f"{name}.{kind}.gguf", kind)
                write_json(golden / name / f"converter-{kind}.json", found)


if __name__ == "__main__":
    main()
