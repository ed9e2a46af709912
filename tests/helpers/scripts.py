"""Functions of the viewer's page, evaluated by node."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import gdlab

PAGE = Path(gdlab.__file__).parent / "viewer" / "page"
NODE = shutil.which("node")
with_node = pytest.mark.skipif(NODE is None, reason="there is no `node` on PATH")

# Numbers that JSON does not have become texts: "NaN", "Infinity".
_PROGRAM = """
const plain = (key, value) => {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return ArrayBuffer.isView(value) ? [...value] : value;
};
const found = {};
for (const [name, expression] of Object.entries(expressions)) {
  found[name] = await expression();
}
console.log(JSON.stringify(found, plain));
"""


def evaluated(modules: list[str], expressions: Mapping[str, str], before: str = "") -> Any:
    """Return the values of expressions of JavaScript by their names, from one process.

    Args:
        modules: of the page, whose exports the expressions use.
        expressions: by name; one that is a promise is awaited.
        before: statements before all of them.
    """
    assert NODE is not None
    imports = [
        f"import {{ {', '.join(exports(name))} }} from '{(PAGE / name).as_uri()}.js';"
        for name in modules
    ]
    table = ",\n".join(f"{json.dumps(k)}: async () => ({v})" for k, v in expressions.items())
    program = "\n".join([*imports, before, f"const expressions = {{ {table} }};", _PROGRAM])
    command = [NODE, "--input-type=module", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def exports(module: str) -> list[str]:
    """Return the names that a module of the page exports."""
    text = (PAGE / f"{module}.js").read_text("utf-8")
    return re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, re.M)
