"""List the parameters and outputs that the template declares, for the page about deploying."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"


def read_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template, with CloudFormation's short tags as {tag: value}."""

    class Loader(yaml.SafeLoader):
        """Loader that keeps tags which YAML does not know."""

    def construct(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return {tag: loader.construct_scalar(node)}
        if isinstance(node, yaml.SequenceNode):
            return {tag: loader.construct_sequence(node, deep=True)}
        assert isinstance(node, yaml.MappingNode)
        return {tag: loader.construct_mapping(node, deep=True)}

    Loader.add_multi_constructor("!", construct)
    template: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader)
    return template


def parameters() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the groups of parameters, each parameter with its default and its description."""
    template = read_template()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    return [
        (group["Label"]["default"], [_parameter(template, name) for name in group["Parameters"]])
        for group in groups
    ]


def _parameter(template: dict[str, Any], name: str) -> tuple[str, str, str]:
    parameter = template["Parameters"][name]
    default = f"`{parameter['Default']}`" if parameter["Default"] != "" else "empty"
    return name, default, _table_cell(parameter["Description"])


def outputs() -> list[tuple[str, str]]:
    """Return the outputs, each with what it is for."""
    declared = read_template()["Outputs"]
    return [(name, _table_cell(output["Description"])) for name, output in declared.items()]


def _table_cell(text: str) -> str:
    return text.replace("|", "\\|")
