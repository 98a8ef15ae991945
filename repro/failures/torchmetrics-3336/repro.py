# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.15.0", "torchmetrics==1.9.0", "numpy"]
# ///
"""Metrics that gather entry by entry: a rank with fewer entries has a wrong score and goes on, the other waits.

ROUGEScore keeps one entry for each sentence.  Rank 0 has three sentences, rank 1 two: rank 1 computes a mean without
one of the sentences and trains on, while rank 0 waits for an entry that never comes.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/torchmetrics/issues/3336
"""

import argparse
import json
import math

import torch
import torch.distributed as dist
from torchmetrics import CatMetric, Metric
from torchmetrics.functional.text import rouge_score
from torchmetrics.text import ROUGEScore

TARGET = "the cat sat on the mat"
SENTENCES = ["the cat sat on the mat", "the cat sat", "a dog ran on the mat", "the cat ran", "a dog"]


def score(sentence: str) -> float:
    """The plain reference: the score of one sentence, in one process."""
    return float(rouge_score([sentence], [TARGET], rouge_keys="rouge1")["rouge1_fmeasure"])


def sentences_of(rank: int, shares: str) -> list[str]:
    if shares == "empty":
        return [SENTENCES, []][rank]
    return SENTENCES[rank : {"even": 4, "uneven": 5}[shares] : 2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shares", choices=["uneven", "even", "empty"], default="uneven")
    parser.add_argument("--updates", choices=["each", "one"], default="each")
    parser.add_argument("--metric", choices=["rouge", "cat"], default="rouge")
    parser.add_argument("--sync", choices=["on", "off"], default="on")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    mine = sentences_of(dist.get_rank(), flags.shares)
    everything = [sentence for rank in range(2) for sentence in sentences_of(rank, flags.shares)]
    expected = sum(score(sentence) for sentence in everything) / len(everything)

    options = {"sync_on_compute": flags.sync == "on"}
    metric: Metric = CatMetric(**options) if flags.metric == "cat" else ROUGEScore(rouge_keys="rouge1", **options)
    metric = metric.to(device)
    batches = [mine] if flags.updates == "one" and mine else [[sentence] for sentence in mine]
    for batch in batches:
        if flags.metric == "cat":
            metric.update(torch.tensor([score(sentence) for sentence in batch]))
        else:
            metric.update(batch, [TARGET] * len(batch))
    value = metric.compute()
    value = float(value.mean() if flags.metric == "cat" else value["rouge1_fmeasure"])
    print("measured value =", json.dumps(None if math.isnan(value) else round(value, 4)))  # no JSON for not-a-number
    print("measured expected =", json.dumps(round(expected, 4)))

    gradient = torch.ones(1, device=device)  # the next training step
    dist.all_reduce(gradient)
    assert abs(value - expected) < 1e-5, f"the score is {value:.4f} for {expected:.4f}"
    print(f"oracle passed: all ranks have the score of one process, {expected:.4f}")


if __name__ == "__main__":
    main()
