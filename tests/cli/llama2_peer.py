"""The real transformers: it writes golden/llama2, and says what a folder's weights say.

    .peers/transformers/bin/python tests/cli/llama2_peer.py make tests/cli/golden/llama2
    .peers/transformers/bin/python tests/cli/llama2_peer.py answer FOLDER IDS_JSON COUNT

`make` saves a tiny random Llama and a tokenizer of Llama 2's layout: 256 bytes to fall back on, merges learnt
from the words below by the library that transformers itself uses, a space put first.
"""

from __future__ import annotations

import json
import sys

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXT = [
    "What does json.dumps do? It writes a value as text.",
    "[INST] <<SYS>> Be brief. <</SYS>> What is the default of the argument? [/INST] None.",
    "Return the number of the word and the next word in the list of all words.",
    "다음 낱말은 무엇인가요? 다음 낱말은 모델이 맞힙니다.",
]
SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}


def vocabulary():
    """Tokens by id and merges, in Llama 2's order: specials, bytes, what was merged, single characters."""
    learner = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=180, show_progress=False))
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += dict.fromkeys("".join(pair) for pair in merges)
    tokens += sorted(token for token in learner.get_vocab() if len(token) == 1)
    return {token: id for id, token in enumerate(tokens)}, merges


def make(folder: str) -> None:
    """Save both."""
    vocab, merges = vocabulary()
    transformers.LlamaTokenizer(vocab=vocab, merges=merges).save_pretrained(folder)
    torch.manual_seed(2)
    config = transformers.LlamaConfig(vocab_size=len(vocab), **SHAPE)
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape)
            parameter.copy_(noise * 0.25 if parameter.dim() == 2 else 1 + noise * 0.3)
    model.bfloat16().save_pretrained(folder)


def answer(folder: str, prompts: str, count: str) -> None:
    """Print what the model says after each list of ids: [id, how far the second best was]."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for prompt in json.loads(prompts):
        said = []
        with torch.no_grad():
            for _ in range(int(count)):
                two = model(torch.tensor([prompt + [id for id, _ in said]])).logits[0, -1].topk(2)
                said.append((int(two.indices[0]), float(two.values[0] - two.values[1])))
        found.append(said)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    {"make": make, "answer": answer}[sys.argv[1]](*sys.argv[2:])
