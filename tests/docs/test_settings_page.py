"""The page of settings has every setting of conf, with what its comment says."""

import yaml
from settings_page import page, settings

from gdlab.paths import CONF


def test_every_setting_has_a_meaning() -> None:
    for name in ("config.yaml", "derivatives.yaml"):
        text = (CONF / name).read_text(encoding="utf-8")
        values = yaml.safe_load(text)
        own = {key: value for key, value in values.items() if key not in ("defaults", "hydra")}
        inside = {f"{key}.{k}" for key, v in own.items() if isinstance(v, dict) for k in v}
        found = {setting: meaning for setting, _, meaning in settings(text)}
        assert {key for key in found if found[key]} >= own.keys() | inside


def test_defaults_that_other_settings_give_are_left_out() -> None:
    assert "| `lr` |  | learning rate" in page()
    assert "| `stop.grad_tol` | `1.0e-08` | converged" in page()
