"""The CPU lane's gates: refusals of the libraries that have nothing to do with the failures.

lightning and accelerate refuse FSDP without an accelerator, although FSDP itself runs on gloo.
Each gate below removes one refusal, right after the module that holds it was imported.  A gate
must not touch the code that a failure is about; ``reason`` says why it cannot.

Loaded by the bootstrap inside the environment under test: standard library only at import.
"""

from typing import Any, Callable, Dict, NamedTuple, Tuple


class Gate(NamedTuple):
    """One refusal that the CPU lane lifts."""

    name: str
    module: str  # lifted right after this module was imported
    releases: Dict[str, str]  # distribution -> PEP 440 specifiers that the gate applies to
    refusal: str  # what the library says or does without the gate
    reason: str  # why lifting it cannot touch a failure
    lift: Callable[[Any], None]


def lift_lightning_trainer(module: Any) -> None:
    """Let the check of lightning's Trainer see an accelerator flag that FSDP is allowed with."""
    connector = module._AcceleratorConnector
    check = connector._check_strategy_and_fallback

    def _check_strategy_and_fallback(self: Any) -> None:
        flag, strategy = self._accelerator_flag, self._strategy_flag
        names = module.FSDPStrategy.get_registered_strategies()
        fsdp = isinstance(strategy, module.FSDPStrategy) or (isinstance(strategy, str) and strategy in names)
        if not fsdp or flag != "cpu":
            check(self)
            return
        self._accelerator_flag = "cuda"
        try:
            check(self)
        finally:
            self._accelerator_flag = flag

    connector._check_strategy_and_fallback = _check_strategy_and_fallback


def lift_fsdp_optimizer_state(module: Any) -> None:
    """FSDP gathers optimizer states without asking a CUDA driver for a summary of memory and for its queue's end."""
    cuda = module.torch.cuda
    cuda.memory_summary = lambda *_args, **_kwargs: "no CUDA device"
    cuda.synchronize = lambda *_args, **_kwargs: None


def lift_fsdp_optimizer_copy(module: Any) -> None:
    """Copy full optimizer states out of the buffer of the all-gather, as the move from an accelerator does."""
    unflatten = module._unflatten_orig_param_states

    def _unflatten_orig_param_states(
        info: Any, states: Any, name: str, shard_state: bool, to_save: bool, cpu_offload: bool
    ) -> None:
        unflatten(info, states, name, shard_state, to_save, cpu_offload)
        if to_save and cpu_offload and not shard_state:
            for state in states.values():
                state[name] = state[name].clone()

    module._unflatten_orig_param_states = _unflatten_orig_param_states


def lift_fabric_connector(module: Any) -> None:
    """Let the check of Fabric see an accelerator flag that FSDP is allowed with."""
    connector = module._Connector
    check = connector._check_strategy_and_fallback

    def _check_strategy_and_fallback(self: Any) -> None:
        flag = self._accelerator_flag
        self._accelerator_flag = (
            "cuda" if flag == "cpu" and isinstance(self._strategy_flag, module.FSDPStrategy) else flag
        )
        try:
            check(self)
        finally:
            self._accelerator_flag = flag

    connector._check_strategy_and_fallback = _check_strategy_and_fallback


def lift_accelerate_backend(module: Any) -> None:
    """CPU ranks of one launch form a gloo group without ``cpu=True``, as they did in earlier releases."""
    state = module.PartialState
    prepare = getattr(state, "_prepare_backend", None)
    if prepare is None:
        return

    def _prepare_backend(self: Any, cpu: bool = False, *args: Any, **kwargs: Any) -> Any:
        backend, kind = prepare(self, cpu, *args, **kwargs)
        return prepare(self, True, *args, **kwargs) if kind == module.DistributedType.NO else (backend, kind)

    state._prepare_backend = _prepare_backend


def lift_accelerate_state(module: Any) -> None:
    """FSDP as the distributed type of CPU ranks too, when the user asked for it."""
    import os

    state = module.AcceleratorState
    initialise = state.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        plugin = kwargs.get("fsdp_plugin")
        asked = plugin is not None and os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
        if asked and self.distributed_type == module.DistributedType.MULTI_CPU:
            if self._mixed_precision != "no":
                plugin.set_mixed_precision(self._mixed_precision)
            self.fsdp_plugin = plugin
            self.distributed_type = module.DistributedType.FSDP
            module.PartialState._shared_state["distributed_type"] = self.distributed_type

    state.__init__ = __init__


def lift_accelerate_plugin(module: Any) -> None:
    """Materialise parameters on the CPU where the plugin looks for an accelerator to do so."""
    plugin = module.FullyShardedDataParallelPlugin
    initialise = plugin.__post_init__

    def __post_init__(self: Any) -> None:
        try:
            initialise(self)
        except RuntimeError as error:
            if "no available devices found" not in str(error):
                raise
        if self.sync_module_states:
            self.param_init_fn = lambda tensor: tensor.to_empty(device="cpu", recurse=False)

    plugin.__post_init__ = __post_init__


def lift_fsdp_device(module: Any) -> None:
    """FSDP computes on the CPU where it is given no device, or a CPU with an index."""
    import torch

    sharded = module.FullyShardedDataParallel
    initialise = sharded.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        device = kwargs.get("device_id")
        if device is None or torch.device(device).type == "cpu":
            kwargs["device_id"] = torch.device("cpu")
        initialise(self, *args, **kwargs)

    sharded.__init__ = __init__


def lift_fsdp_sync(module: Any) -> None:
    """FSDP broadcasts rank 0's parameters and buffers over gloo too."""
    module._check_module_states_for_sync_module_states = lambda module_states: None


def lift_fsdp_offload(module: Any) -> None:
    """Leave an unsharded parameter that is on the CPU where it is, as torch itself does since 2.15."""
    import contextlib

    handle = module.FlatParamHandle
    to_cpu = handle.to_cpu

    def stay_or_move(self: Any) -> Any:
        return contextlib.nullcontext() if self.flat_param.device.type == "cpu" else to_cpu(self)

    handle.to_cpu = stay_or_move


GATES: Tuple[Gate, ...] = (
    Gate(
        name="lightning-fsdp-accelerator",
        module="lightning.pytorch.trainer.connectors.accelerator_connector",
        releases={"lightning": ">=2.0.0"},
        refusal="You selected strategy to be `fsdp`, but GPU accelerator is not used.",
        reason="the Trainer's constructor only compares two names here and keeps nothing of the comparison",
        lift=lift_lightning_trainer,
    ),
    Gate(
        name="fsdp-cpu-optimizer-state",
        module="torch.distributed.fsdp._optim_utils",
        releases={"torch": ">=2.2,<2.4"},
        refusal="Found no NVIDIA driver on your system.",
        reason="a log message and a wait for CUDA kernels, of which there are none; the gathering runs as it is",
        lift=lift_fsdp_optimizer_state,
    ),
    Gate(
        name="fsdp-cpu-optimizer-copy",
        module="torch.distributed.fsdp._optim_utils",
        releases={"torch": ">=2.1"},
        refusal="silently, all states of a parameter get the values of the last: offloading from the CPU is no copy",
        reason="a copy, which offloading from an accelerator makes as well: the same values as on an accelerator",
        lift=lift_fsdp_optimizer_copy,
    ),
    Gate(
        name="fabric-fsdp-accelerator",
        module="lightning.fabric.connector",
        releases={"lightning": ">=2.1.0"},
        refusal="You selected the FSDP strategy but FSDP is only available on GPU.",
        reason="Fabric's constructor only compares two names here and keeps nothing of the comparison",
        lift=lift_fabric_connector,
    ),
    Gate(
        name="accelerate-cpu-ranks",
        module="accelerate.state",
        releases={"accelerate": ">=1.13"},
        refusal="ranks started without an accelerator and without `cpu=True` are not distributed",
        reason="the backend's name is chosen here, before any model or state exists",
        lift=lift_accelerate_backend,
    ),
    Gate(
        name="accelerate-fsdp-type",
        module="accelerate.state",
        releases={"accelerate": ">=0.21"},
        refusal="FSDP is ignored: CPU ranks keep the distributed type MULTI_CPU",
        reason="the three assignments that accelerate makes for an accelerator; it saves and loads nothing",
        lift=lift_accelerate_state,
    ),
    Gate(
        name="accelerate-fsdp-sync",
        module="accelerate.utils.dataclasses",
        releases={"accelerate": ">=0.21"},
        refusal="There are currently no available devices found, must be one of 'XPU', 'CUDA', or 'NPU'.",
        reason="only the device of parameters without storage is chosen, the plugin's last act for FSDP1",
        lift=lift_accelerate_plugin,
    ),
    Gate(
        name="fsdp-cpu-device",
        module="torch.distributed.fsdp.fully_sharded_data_parallel",
        releases={"torch": ">=2.1"},
        refusal="FSDP needs a non-CPU accelerator device, but no accelerator device is detected.",
        reason="the device that FSDP computes on, and nothing else, follows from this argument",
        lift=lift_fsdp_device,
    ),
    Gate(
        name="fsdp-cpu-sync",
        module="torch.distributed.fsdp._init_utils",
        releases={"torch": ">=2.1"},
        refusal="The module has CPU parameters or buffers when `sync_module_states=True`, ...",
        reason="a check without effects, before FSDP broadcasts the initial state once",
        lift=lift_fsdp_sync,
    ),
    Gate(
        name="fsdp-cpu-offload",
        module="torch.distributed.fsdp._flat_param",
        releases={"torch": ">=2.2,<2.15"},
        refusal="Segmentation fault: a full state dict offloaded from CPU to CPU is freed before it is read",
        reason="a move from the CPU to the CPU; on an accelerator the same bits are copied",
        lift=lift_fsdp_offload,
    ),
)
