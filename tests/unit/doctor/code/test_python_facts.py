"""What a Python text names, however it says it."""

from collections.abc import Iterable
from typing import Any

import pytest

from repro.doctor.code.decide import CodeFinding, judge_code
from repro.doctor.code.facts import Facts, Open, Opening, Place
from repro.doctor.code.python_facts import facts_of_python
from repro.doctor.code.vocabulary import Vocabulary
from repro.model.failure import Failure
from tests.unit.factories import failure

SHARD = {"symbols": ["torch.distributed.**.fully_shard"]}
SAVER = {"symbols": ["lightning.**.ModelCheckpoint"], "arguments": {"save_last": {"values": [True]}}}
STEPS = {"settings": ["gradient_accumulation_steps"], "other_than": [1]}


def record(when: dict[str, Any], at_fault: Iterable[str] = ()) -> Failure:
    return failure(reach={"who": "Jobs.", "when": when, "at_fault": list(at_fault)})


def judged(when: dict[str, Any], text: str, at_fault: Iterable[str] = ()) -> tuple[str, str]:
    """The finding, and why it could not be told."""
    held = record(when, at_fault)
    facts = Facts()
    facts.add(facts_of_python(text, Vocabulary.of([held]), "a.py"))
    (reached,) = judge_code([held], facts)
    return reached.finding.value, reached.why


@pytest.mark.parametrize(
    "text",
    [
        "from torch.distributed.fsdp import fully_shard",
        "from torch.distributed._composable.fsdp import fully_shard as shard\nshard(m)",
        "import torch\ntorch.distributed.fsdp.fully_shard(m)",
        "import torch.distributed.fsdp as f\nf.fully_shard(m)",
        "from torch import distributed as dist\ndist.fsdp.fully_shard(m)",
        "from torch.distributed.fsdp import *\nfully_shard(m)",
        "import importlib\nf = importlib.import_module('torch.distributed.fsdp')\nf.fully_shard(m)",
        "import torch\nf = torch.distributed.fsdp\ng = f\ng.fully_shard(m)",
        "import torch.distributed.fsdp as f\ngetattr(f, 'fully_shard')(m)",
        "def x():\n    try:\n        from torch.distributed.fsdp import fully_shard\n    except ImportError: ...",
        "TARGET = 'torch.distributed.fsdp.fully_shard'",
    ],
)
def test_named(text: str) -> None:
    assert judged(SHARD, text) == ("named", "")


@pytest.mark.parametrize(
    "text",
    [
        "from other.distributed.fsdp import fully_shard",
        "'''torch.distributed.fsdp.fully_shard in a docstring'''",
        "# torch.distributed.fsdp.fully_shard",
        "def fully_shard(m):\n    return m",
        "from torch.distributed.fsdp import FullyShardedDataParallel",
        "import torch.optim\ngetattr(torch.optim, name)",
        "import importlib\nimportlib.import_module(f'mine.{name}')",
        "import importlib\nimportlib.import_module('.x' + name, __package__)",
    ],
)
def test_not_named(text: str) -> None:
    assert judged(SHARD, text) == ("not named", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import importlib\nimportlib.import_module(name)", "imports a module whose name is computed"),
        ("from importlib import import_module as im\nimport_module(a + b)", "imports a module"),
        ("__import__(name)", "imports a module"),
        ("import importlib\nimportlib.import_module(f'torch.{name}')", "imports a module"),
        ("import torch.distributed.fsdp as f\ngetattr(f, name)(m)", "takes an attribute whose name is computed"),
    ],
)
def test_could_not_tell(text: str, why: str) -> None:
    finding, reason = judged(SHARD, text)
    assert finding == "could not tell"
    assert reason.startswith("a.py:")
    assert why in reason


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("from lightning.pytorch.callbacks import ModelCheckpoint\nModelCheckpoint(save_last=True)", "named"),
        ("from pytorch_lightning.callbacks import ModelCheckpoint\nModelCheckpoint(save_last=flag)", "named"),
        ("from lightning.pytorch.callbacks import ModelCheckpoint\nModelCheckpoint(save_last=False)", "not named"),
        ("from lightning.pytorch.callbacks import ModelCheckpoint\nModelCheckpoint()", "not named"),
        (
            (
                "from lightning.pytorch.callbacks import ModelCheckpoint\nopts = {'save_last': True}\n"
                "ModelCheckpoint(**opts)"
            ),
            "named",
        ),
        ("from lightning.pytorch.callbacks import ModelCheckpoint\nModelCheckpoint(**opts)", "could not tell"),
        (
            (
                "from lightning.pytorch.callbacks import ModelCheckpoint\nclass Mine(ModelCheckpoint): ...\n"
                "Mine(save_last=True)"
            ),
            "named",
        ),
        (
            (
                "from functools import partial\nfrom lightning.pytorch.callbacks import ModelCheckpoint\n"
                "make = partial(ModelCheckpoint, save_last=True)"
            ),
            "named",
        ),
        ("from mine import ModelCheckpoint\nModelCheckpoint(save_last=True)", "not named"),
    ],
)
def test_arguments(text: str, finding: str) -> None:
    assert judged(SAVER, text)[0] == finding


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("TrainingArguments(gradient_accumulation_steps=4)", "named"),
        ("TrainingArguments(gradient_accumulation_steps=1)", "not named"),
        ("args.gradient_accumulation_steps = 8", "named"),
        ("cfg['gradient_accumulation_steps'] = 8", "named"),
        ("parser.add_argument('--gradient-accumulation-steps', type=int)", "named"),
        ("class Config:\n    gradient_accumulation_steps: int = 2", "named"),
        ("class Config:\n    gradient_accumulation_steps: int = 1", "not named"),
        ("def train(gradient_accumulation_steps=2): ...", "named"),
        ("def train(*, gradient_accumulation_steps=1): ...", "not named"),
        ("run(['--gradient_accumulation_steps=2'])", "named"),
        ("print('gradient_accumulation_steps')", "not named"),
        ("eval(text)", "not named"),
    ],
)
def test_settings(text: str, finding: str) -> None:
    assert judged(STEPS, text)[0] == finding


@pytest.mark.parametrize(
    ("arguments", "finding"),
    [
        ("'out', None, 'val_loss'", "named"),
        ("'out', None, None", "not named"),
        ("'out', 'last'", "not named"),
        ("*all_of_them", "could not tell"),
    ],
)
def test_positional_arguments(arguments: str, finding: str) -> None:
    when = {"symbols": ["lightning.**.ModelCheckpoint"], "arguments": {"arg3": {"other_than": [None]}}}
    text = f"from lightning.pytorch.callbacks import ModelCheckpoint\nModelCheckpoint({arguments})"
    assert judged(when, text)[0] == finding


def test_the_command_line_leaves_a_setting_open() -> None:
    """The rest is named, and the setting may come from the command line."""
    both = {"all_of": [{"symbols": ["transformers.**.*Trainer"]}, STEPS]}
    text = "from transformers import HfArgumentParser, Trainer\nHfArgumentParser(X)\n"
    assert judged(both, text)[0] == "could not tell"
    assert judged(both, text.replace("Trainer", "AutoConfig"))[0] == "not named"


@pytest.mark.parametrize(
    "text",
    [
        "import accelerate.utils.fsdp_utils as u\nu.prepare = mine",
        "import accelerate\naccelerate.accelerator.prepare = mine",
        "import accelerate\nsetattr(accelerate.utils.fsdp_utils, 'prepare', mine)",
        "def prepare(model): ...",
        "from unittest.mock import patch\npatch('accelerate.utils.fsdp_utils.prepare')",
    ],
)
def test_replaced(text: str) -> None:
    """Code that replaces the function at fault cannot be judged, although it names everything."""
    when = {"symbols": ["accelerate.**.Accelerator"]}
    named = "from accelerate import Accelerator\n"
    for symbol in ("accelerate.utils.fsdp_utils.prepare", "accelerate.**.prepare"):
        assert judged(when, named, [symbol])[0] == "named"
        finding, why = judged(when, named + text, [symbol])
        assert (finding, "replaces a function" in why) == ("could not tell", True)


@pytest.mark.parametrize("symbol", ["accelerate.**.prepare", "accelerate.utils.**.pre*"])
def test_words_of_a_faulty_function_by_pattern(symbol: str) -> None:
    """A faulty function may be named by a pattern; files that hold such a name are read."""
    words = Vocabulary.of([record({"symbols": ["torch.optim.SGD"]}, [symbol])])
    assert words.concerns("def prepare(): ...\nclass Accelerator: ...")
    assert not words.concerns("def finish(): ...")


@pytest.mark.parametrize("text", ["mse", "huber_loss", "umt5-small", "\ud800 umt5"])
@pytest.mark.parametrize("line", ['f("{}")', "f('{}', 1)", "loss: {}", '{{"loss":"{}"}}', "{}"])
def test_strings_are_seen_in_a_file(line: str, text: str) -> None:
    """A file whose only word is a string that a record asks for is read; patterns are of whole strings."""
    words = Vocabulary.of([record({"texts": ["(?i)^(mse|huber)(_loss)?$", "umt5"]})])
    assert words.is_text(text)
    assert words.concerns(line.format(text).encode(errors="replace").decode())
    assert not words.concerns("the mseries has huberty")


def test_overridden_method() -> None:
    at_fault = ["lightning.**.ModelCheckpoint.on_train_end"]
    base = "from lightning.pytorch.callbacks import ModelCheckpoint\nclass Mine(ModelCheckpoint):\n"
    when = {"bases": ["lightning.**.ModelCheckpoint"]}
    assert judged(when, f"{base}    def other(self): ...", at_fault)[0] == "named"
    assert judged(when, f"{base}    def on_train_end(self): ...", at_fault)[0] == "could not tell"


def test_a_record_without_reach_is_not_judged() -> None:
    (reached,) = judge_code([failure(reach=None)], Facts())
    assert reached.finding is CodeFinding.UNKNOWN


def test_a_text_that_cannot_be_parsed_opens_only_what_its_words_may_name() -> None:
    held, other = record(SHARD), record({"symbols": ["torch.**.clip_grad_norm_"]})
    facts = Facts()

    facts.add([Open(Opening.UNREAD, "", Place("a.py", 1), "is Python 2", frozenset({"fully_shard"}))])
    assert judge_code([held], facts)[0].finding is CodeFinding.UNKNOWN
    assert judge_code([other], facts)[0].finding is CodeFinding.NOT_NAMED


@pytest.mark.parametrize("pattern", ["True", "None", "[1, None]"])
def test_constant_in_a_match(pattern: str) -> None:
    """The value of ``case True`` is no node of the tree."""
    text = f"match x:\n    case {pattern}:\n        from torch.distributed.fsdp import fully_shard\n"
    assert judged(SHARD, text)[0] == "named"


APPLIED = {"applied": ["torch.distributed.**.DTensor"]}


@pytest.mark.parametrize(
    "use",
    [
        "DTensor.from_local(x)",
        "make(DTensor)",
        "class Mine(DTensor): pass",
        "x = DTensor",
        "",  # whatever it is imported for
        "isinstance(x, DTensor)\nDTensor.from_local(x)",
        "y = DTensor.from_local(x) == z",
    ],
)
def test_applied(use: str) -> None:
    assert judged(APPLIED, f"from torch.distributed.tensor import DTensor\n{use}")[0] == "named"


@pytest.mark.parametrize(
    "use",
    [
        "isinstance(x, DTensor)",
        "issubclass(x, (Other, DTensor))",
        "type(x) is DTensor",
        "def f(x: DTensor, *rest: DTensor, only: DTensor = None) -> list[DTensor]: ...",
        "x: DTensor = y",
        "import typing\ntyping.cast(DTensor, x)",
    ],
)
def test_only_checked(use: str) -> None:
    """Somebody may hand it one: that cannot be told."""
    finding, why = judged(APPLIED, f"from torch.distributed.tensor import DTensor\n{use}")
    assert (finding, why.endswith("asks whether something is one (DTensor)")) == ("could not tell", True)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("total_norm.item()", True),
        ("p.grad.norm().item()", True),
        ("clip_grad_norm_(ps).item()", True),
        ("x.item(total_norm)", True),
        ("loss.item()", False),
        ("item(total_norm)", False),
        ("normal.item()", False),
    ],
)
def test_called_on(text: str, *, named: bool) -> None:
    use = {"methods": ["item"], "on": r"\b(\w+_)?norm(_\w*)?\b"}
    assert judged(use, text)[0] == ("named" if named else "not named")


@pytest.mark.parametrize(
    ("text", "named"),
    [("float(norm)", True), ("float(x)", False), ("norm.float()", False), ("float()", False)],
)
def test_function_called_with(text: str, *, named: bool) -> None:
    assert judged({"symbols": ["builtins.float"], "on": "norm"}, text)[0] == ("named" if named else "not named")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("f(fsdp=x)", "could not tell"),
        ("f(fsdp='full')", "named"),
        ("f(fsdp=x)\ng(fsdp='full')", "named"),
        ("f(fsdp=None)", "not named"),
        ("add_argument('--fsdp', default='full')", "named"),
        ("add_argument('-f', '--fsdp', default='')", "could not tell"),
    ],
)
def test_only_a_value_that_is_shown(text: str, finding: str) -> None:
    assert judged({"settings": ["fsdp"], "other_than": [None], "shown": True}, text)[0] == finding


@pytest.mark.parametrize(
    ("text", "finding"),
    [("m.freeze(False)", "named"), ("m.freeze(x)", "could not tell"), ("m.freeze(True)", "not named")],
)
def test_argument_that_is_shown(text: str, finding: str) -> None:
    use = {"methods": ["freeze"], "arguments": {"arg1": {"values": [False], "shown": True}}}
    assert judged(use, text)[0] == finding


def test_models_and_other_texts() -> None:
    """A model of unknown name may be any; a word of the code is there or is not."""
    text = "from transformers import AutoModel\nAutoModel.from_pretrained(name)"
    assert judged({"models": ["umt5"]}, text)[0] == "could not tell"
    assert judged({"texts": ["^rrelu$"]}, text)[0] == "not named"


def test_a_model_of_timm() -> None:
    assert judged({"models": ["resnet"]}, "import timm\ntimm.create_model(name)")[0] == "could not tell"
    assert judged({"models": ["resnet"]}, "import other\nother.create_model(name)")[0] == "not named"


def test_many_classes_of_one_name() -> None:
    """Each is looked at once, although every one may derive from every other."""
    classes = "\n".join(f"class M{at}:\n    class Config(N{at}.Config): ..." for at in range(60))
    assert judged(SAVER, f"{classes}\nConfig(save_last=True)")[0] == "not named"
    derived = "from lightning.pytorch.callbacks import ModelCheckpoint\nclass Config(ModelCheckpoint): ..."
    assert judged(SAVER, f"{derived}\n{classes}\nConfig(save_last=True)")[0] == "named"
