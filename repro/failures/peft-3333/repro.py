# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==5.23.0", "peft==0.17.1", "numpy"]
# ///
"""peft 0.17 cannot be imported beside transformers 5: it imports a class that is there no longer.

The two declare no conflict, so that a resolver puts them together.  Whatever imports peft ends at once.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/huggingface/peft/issues/3333
"""

import torch
import torch.distributed as dist
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM


def main() -> None:
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
    plain = LlamaForCausalLM(LlamaConfig(vocab_size=16, num_hidden_layers=1, **sizes)).eval()
    tokens = torch.arange(8).reshape(1, 8)
    with torch.no_grad():
        expected = plain(tokens).logits
        found = get_peft_model(plain, LoraConfig(r=2, target_modules=["q_proj"])).eval()(tokens).logits
    difference = (found - expected).abs().max().item()
    # A fresh adapter adds nothing: its second matrix is zero.
    assert difference <= 1e-6, f"a fresh adapter changes the output by {difference:.3g}"
    print(f"oracle passed: peft is imported, and a fresh adapter changes the output by {difference:.3g}")


if __name__ == "__main__":
    main()
