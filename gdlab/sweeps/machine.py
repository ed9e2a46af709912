"""What the last bits of a result depend on besides settings, noted with the table of each shard.

A note is metadata of a table: the fingerprints of the machines that its runs ran on.
"""

import hashlib
import json
import platform
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import torch

from gdlab.engine.compiler.library import compiler_version, cpu_features

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"gdlab.machines"


@cache
def fingerprint() -> tuple[tuple[str, str], ...]:
    """Return of this machine what the last bits depend on, each by its name."""
    blas = f"{torch.__config__.show()} {torch.backends.cpu.get_cpu_capability()}"
    found = {
        "torch": torch.__version__,
        "libc": " ".join(platform.libc_ver()),
        "compiler": compiler_version(),
        "CPU": _digest(f"{platform.machine()} {cpu_features()}"),
        "BLAS": _digest(blas),
    }
    return tuple(found.items())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_machine(table: "pa.Table", device: torch.device) -> "pa.Table":
    """Note with a table this machine, and its GPU if that is the device of the runs."""
    gpu = {} if device.type == "cpu" else {"GPU": torch.cuda.get_device_name(device)}
    return table.replace_schema_metadata(_note([dict(fingerprint()) | gpu]))


def with_machines_of(schema: "pa.Schema", parts: Iterable["pa.Schema"]) -> "pa.Schema":
    """Note in the schema of a table the machines of all tables that it is made of."""
    return schema.with_metadata(_note(machine for part in parts for machine in _machines(part)))


def differences(schema: "pa.Schema") -> list[str]:
    """Return in what the machines differ that the runs of a table ran on."""
    machines = _machines(schema)
    names = dict.fromkeys(name for machine in machines for name in machine)
    return [name for name in names if len({machine.get(name) for machine in machines}) > 1]


def _machines(schema: "pa.Schema") -> list[dict[str, str]]:
    return json.loads((schema.metadata or {}).get(_KEY, b"[]"))


def _note(machines: Iterable[dict[str, str]]) -> dict[bytes, str] | None:
    """Return the note of some machines, each once; None if there are none."""
    different = [json.loads(text) for text in dict.fromkeys(map(json.dumps, machines))]
    return {_KEY: json.dumps(different)} if different else None
