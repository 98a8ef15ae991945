"""The tables of checkpoints between releases, as data: records, environments, kinds, and what their pages say."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """One page below ``reports/``: the pairs of ``environments`` in all ``kinds``, each a run of ``record``."""

    title: str
    page: str
    record: str
    distributions: tuple[str, ...]
    """Whose versions head a column; the first is what the table is about."""
    environments: tuple[str, ...]
    kinds: Mapping[str, dict[str, str]]
    """Title -> values of the record's factors."""
    head: str
    compared: str
    """What is equal where a pair is ``equal``."""
    not_tested: str
    method: str = ""
    found: tuple[str, ...] = ()
    """What was found out about pairs that load and differ, a paragraph each."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """A part of what was said -> what it means."""


_NOT_TESTED = "other optimizers, compiled models, more than two ranks or another number of them, CUDA and NCCL"
_PARTS = (
    "on every rank parameters, moments, steps and scheduler are equal bit by bit, and so are the options of each "
    "parameter group that both releases know"
)
_SAME_BATCH = "A rank has the same batch in every step, so the order of the data after a resume is no part of it."

_TORCH = {
    "_MEM_FORMAT_ENCODING": "the metadata of a newer torch names what torch 2.2 has not",
    "optimizer.param_groups.0.weight_decay": "torch 2.2 wrote all groups as one object, newer ones ask for each option",
    "decoupled_weight_decay": "AdamW has this option since 2.7 ([`pytorch-146157`](pytorch-146157.md))",
    "too many values to unpack": "the metadata of torch 2.15 has more fields than an older torch unpacks",
}

TABLES: Mapping[str, Table] = {
    "torch": Table(
        title="Checkpoints between releases of torch: writer × reader",
        page="writer-reader.md",
        record="checkpoint-between-releases",
        distributions=("torch",),
        environments=("torch-2.2", "torch-2.6", "torch-2.7", "torch-2.13", "newest"),
        kinds={
            "one file: torch.save of a job under DDP, torch.load with its defaults": {"kind": "full"},
            "FSDP1, distributed checkpoint": {"kind": "fsdp1"},
            "FSDP1, distributed checkpoint, optimizer flattened": {"kind": "fsdp1", "optimizer": "flat"},
            "FSDP2, distributed checkpoint": {"kind": "fsdp2"},
            "FSDP2, distributed checkpoint, optimizer flattened": {"kind": "fsdp2", "optimizer": "flat"},
        },
        head=(
            "A job of one torch trains two steps on two ranks, with AdamW in two parameter groups, and writes "
            "a checkpoint. A job of another torch begins with other weights and another learning rate, loads "
            "it, and takes the next step."
        ),
        compared=(
            "on every rank parameters, moments and steps are equal bit by bit, and so are the options of each "
            "parameter group that both releases know"
        ),
        not_tested=_NOT_TESTED,
        method="Gradients of FSDP2 are set, not computed: its forward pass before torch 2.7 needs an accelerator.",
        meanings=_TORCH,
    ),
    "lightning": Table(
        title="Checkpoints between releases of Lightning: writer × reader",
        page="writer-reader-lightning.md",
        record="lightning-checkpoint-between-releases",
        distributions=("lightning", "torch"),
        environments=("lightning-2.1.4-torch-2.2", "lightning-2.5.6-torch-2.13", "newest"),
        kinds={
            "DDP": {"kind": "ddp"},
            "FSDP1, one file": {"kind": "fsdp-full"},
            "FSDP1, a part of each rank": {"kind": "fsdp-sharded"},
        },
        head=(
            "The Trainer of one Lightning trains three steps on two ranks, with AdamW in two parameter groups "
            "and a scheduler, and `ModelCheckpoint` writes after the second. The Trainer of another Lightning "
            "begins with other weights, rates and decays, resumes by `fit(ckpt_path=...)`, and takes the "
            "third step."
        ),
        compared=_PARTS,
        not_tested=_NOT_TESTED + ", `save_hyperparameters`, `ModelParallelStrategy`",
        method=_SAME_BATCH,
        meanings=_TORCH,
    ),
    "accelerate": Table(
        title="Checkpoints between releases of accelerate: writer × reader",
        page="writer-reader-accelerate.md",
        record="accelerate-checkpoint-between-releases",
        distributions=("accelerate", "torch"),
        environments=(
            "transformers-4.40.2-torch-2.2",
            "accelerate-1.13.0-torch-2.13",
            "newest",
        ),
        kinds={
            "DDP": {"kind": "ddp"},
            "FSDP1, one file": {"kind": "fsdp1-full"},
            "FSDP1, a part of each rank": {"kind": "fsdp1-sharded"},
            "FSDP2, a part of each rank": {"kind": "fsdp2"},
        },
        head=(
            "A job of one accelerate trains two steps on two ranks, with AdamW in two parameter groups and a "
            "scheduler, and calls `save_state`. A job of another accelerate begins with other weights, rates "
            "and decays, calls `load_state` after `prepare`, and takes the next step."
        ),
        compared=_PARTS + ", and the next random numbers of Python, NumPy and torch",
        not_tested=_NOT_TESTED + ", data loaders, `save_model`, FSDP2 in one file",
        method=_SAME_BATCH,
        found=(
            (
                "**FSDP1, a part of each rank: accelerate 1.13.0 and 1.15.0 load no moments and no steps, of their "
                "own checkpoints too.** Weights, options and scheduler are those of the checkpoint, and the first "
                "update is that of an AdamW that begins anew: on these numbers it is off by 0.02 at a learning rate "
                "of 0.0125. `load_fsdp_optimizer` gives `dcp.load` the state of an optimizer that has not taken a "
                "step, which names no moments, and `dcp.load` leaves out what it is not asked for "
                "([`pytorch-126881`](pytorch-126881.md)). accelerate 0.30 to 1.6 called "
                "`load_sharded_optimizer_state_dict`, which asks for all that is in the checkpoint; 1.7.0 and newer do "
                "not: [`accelerate-sharded-moments`](accelerate-sharded-moments.md). Equal are one file "
                "(`FULL_STATE_DICT`) and FSDP2."
            ),
            (
                "**Random numbers: what NumPy 1 wrote, here under accelerate 0.30.1, a newer accelerate does not "
                "restore under NumPy 2.** `torch.load` refuses `numpy.core.multiarray._reconstruct`, the old name "
                "of an allowed function; accelerate catches every exception there, and logs `Could not load random "
                "states` at the level of information. The states of Python and torch, in the same file, are lost "
                "with it: [`accelerate-numpy-states`](accelerate-numpy-states.md). The Trainer of transformers raises "
                "in this case ([`transformers-34631`](transformers-34631.md))."
            ),
        ),
        meanings=_TORCH,
    ),
    "transformers": Table(
        title="Checkpoints between releases of transformers' Trainer: writer × reader",
        page="writer-reader-transformers.md",
        record="transformers-checkpoint-between-releases",
        distributions=("transformers", "accelerate", "torch"),
        environments=(
            "transformers-4.40.2-torch-2.2",
            "transformers-4.49.0-torch-2.13",
            "transformers-4.53.3-torch-2.13",
            "transformers-5.5.3-torch-2.13",
            "newest",
        ),
        kinds={
            "DDP": {"kind": "ddp"},
            "FSDP1, one file": {"kind": "fsdp1-full"},
            "FSDP1, a part of each rank": {"kind": "fsdp1-sharded"},
            "FSDP2, one file": {"kind": "fsdp2-full"},
            "FSDP2, a part of each rank": {"kind": "fsdp2"},
        },
        head=(
            "The Trainer of one transformers trains on two ranks, with its own AdamW (two parameter groups) "
            "and a linear schedule, and writes its folder after the second step. The Trainer of another one "
            "begins with other weights, rate and decay, resumes by `train(resume_from_checkpoint=...)`, and "
            "takes the third step."
        ),
        compared=_PARTS + ", and the next random numbers of Python, NumPy and torch",
        not_tested=_NOT_TESTED
        + ", models of transformers, tokenizers, adapters, a checkpoint of one kind that is read as another",
        found=(
            (
                "**A part of each rank: moments and steps are not resumed, and the next update is off by 0.039 at a "
                "learning rate of 0.025.** Under FSDP1 transformers 4.53.3, 5.5.3 and 5.23.0 (accelerate 1.9.0, "
                "1.13.0 and 1.15.0) do so with every sharded checkpoint that they read to the end, their own too; "
                "under FSDP2 4.53.3 alone does, and 5.5.3 and 5.23.0 resume its checkpoint, which is whole. Weights, "
                "options, scheduler and random numbers are those of the checkpoint. The cause is accelerate's "
                "`load_fsdp_optimizer`: 1.9.0 asks `dcp.load` for `optimizer.state_dict()`, which names no moments "
                "before the first step, and `dcp.load` leaves out what it is not asked for. 1.13.0 and newer ask by "
                "`get_optimizer_state_dict` under FSDP2, which makes the state first, and by `FSDP.optim_state_dict` "
                "under FSDP1, which does not: [`accelerate-sharded-moments`](accelerate-sharded-moments.md). "
                "transformers 4.49.0 with accelerate 1.4.0 resumes its own checkpoint, and no pair in one file "
                "(`FULL_STATE_DICT`) differs."
            ),
        ),
        meanings={
            **_TORCH,
            "stateful_callbacks": "`trainer_state.json` of a newer release has a field that this one does not know",
            "has no fsdp_version": "accelerate has FSDP2 since 1.6",
            "best_global_step": "`trainer_state.json` of a newer release has a field that this one does not know",
            "Weights only load failed": (
                "the random states that NumPy 1 wrote are refused under NumPy 2 "
                "([`transformers-34631`](transformers-34631.md))"
            ),
        },
        method=_SAME_BATCH
        + " `torch.load` is told that `cpu:0` is the CPU: some releases of the Trainer ask for it where "
        "ranks are on CPUs, and torch knows `cpu` only. FSDP's version and the type of its state are asked for in "
        "`fsdp_config` and in the environment variables of `accelerate launch`, since older releases read the latter "
        "only; a run ends if accelerate was told another version or type.",
    ),
}
