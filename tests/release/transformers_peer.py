"""Makes a Llama folder with transformers and says what transformers writes from it, greedily.

.peers/transformers/bin/python tests/release/transformers_peer.py FOLDER SHAPE_JSON PROMPT_JSON COUNT
"""

import json
import sys

import torch
import transformers


def main():
    folder, shape, prompt, count = sys.argv[1], *map(json.loads, sys.argv[2:])
    torch.manual_seed(3)
    torch.set_num_threads(1)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn(parameter.shape) * (0.2 if parameter.dim() > 1 else 0.1))
            if name.endswith("norm.weight"):
                parameter.add_(1)
        model.save_pretrained(folder, max_shard_size=shape.get("shard", "200KB"))
        ids, gaps = list(prompt), []
        for _ in range(count):
            two = model(torch.tensor([ids])).logits[0, -1].topk(2)
            gaps.append(float(two.values[0] - two.values[1]))
            ids.append(int(two.indices[0]))
    json.dump({"ids": ids, "gaps": gaps}, sys.stdout)


if __name__ == "__main__":
    main()
