"""The JSON Schema of the configuration."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from gdlab.config.schema import json_schema
from gdlab.paths import CONF


def test_the_file_is_what_the_fields_declare() -> None:
    """Written by python -m gdlab.config.schema > conf/schema.json."""
    assert json.loads((CONF / "schema.json").read_text("utf-8")) == json_schema()


def test_types_ranges_and_comments() -> None:
    known = json_schema()["properties"]
    assert known["lr"]["anyOf"][0] == {"type": "number", "exclusiveMinimum": 0}
    assert known["dtype"]["anyOf"][0] == {"enum": ["float64", "float32"]}
    stop = known["stop"]["anyOf"][0]["properties"]
    assert [kind["type"] for kind in stop["loss"]["anyOf"][:2]] == ["number", "null"]
    assert stop["grad_tol"]["description"] == "converged: gradient norm at or below this"


def test_settings_of_losses_and_optimizers_are_described() -> None:
    known = json.loads((CONF / "schema.json").read_text("utf-8"))["properties"]
    assert {"type": "object", "additionalProperties": {"anyOf": [{"type": "number"}]}} in known[
        "start"
    ]["anyOf"]
    momentum = known["optimizer"]["properties"]["momentum"]
    assert {"type": "number", "minimum": 0, "exclusiveMaximum": 1} in momentum["anyOf"]
    assert momentum["description"] == "momentum coefficient β, 0 ≤ momentum < 1"
    assert {"type": "integer", "minimum": 1} in known["loss"]["properties"]["batch_size"]["anyOf"]
    assert {"type": ["string", "object"]} in known["schedule"]["properties"]["then"]["anyOf"]


@pytest.mark.parametrize(
    "path",
    ["config.yaml", *map(str, Path(CONF).glob("experiment/*.yaml"))],
    ids=lambda path: Path(path).stem,
)
def test_the_files_of_conf_are_valid(path: str) -> None:
    schema = json.loads((CONF / "schema.json").read_text("utf-8"))
    jsonschema.validate(yaml.safe_load((CONF / path).read_text("utf-8")), schema)


def test_settings_of_hydra_are_known() -> None:
    schema = json.loads((CONF / "schema.json").read_text("utf-8"))
    jsonschema.validate({"hydra": {"sweeper": {"points": 20}}, "lr": 0.1}, schema)
    with pytest.raises(jsonschema.ValidationError, match="'hidra' was unexpected"):
        jsonschema.validate({"hidra": {}}, schema)
