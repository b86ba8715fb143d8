"""The page about the settings of a stack."""

from __future__ import annotations

from ecs_pulumi.cloud.settings import Settings
from ecs_pulumi.resources.registry import handlers
from tools.reference.markdown import attribute_docs, code, page, table

VARIABLES = {"region": "OS_REGION_NAME"}
_CLOUD = ("cloud", "region", "auth_url", "interface", "endpoints", "api_versions")
_TLS = ("cacert", "cert", "key", "insecure")
_GROUPS = {
    "Cloud and region": "The services are `compute`, `network`, `block-storage`, `image` and `identity`.\n\n",
    "Credentials": "Prefer variables or `clouds.yaml`, which every run reads "
    "([Change a password](../how-to/own-cloud.md#change-a-password)).\n\n",
    "Certificates": "",
    "Provider": "These apply to all clouds of a program.\n\n",
}


def settings_page() -> str:
    """Return the page about the stack configuration."""
    docs, rows = attribute_docs(Settings), dict[str, list[list[str]]]()
    for name, field in Settings.model_fields.items():
        secret = " **Secret.**" if "SecretStr" in str(field.annotation) else ""
        has_default = not field.default_factory and field.default not in (None, ())
        standard = f" Default: `{str(field.default).lower()}`." if has_default else ""
        variable = code(VARIABLES.get(name, f"OS_{name.upper()}")) if has_variable(name) else ""
        row = [code(f"ecs:{field.alias}"), variable, docs[name] + secret + standard]
        rows.setdefault(_group(name), []).append(row)
    tables = [
        f"## {title}\n\n{text}" + table(["Setting", "Variable", "Meaning"], rows[title])
        for title, text in _GROUPS.items()
    ]
    return page(
        "settings",
        settings="\n\n".join(tables),
        tagged=_kinds_with("tags"),
        with_metadata=_kinds_with("metadata"),
    )


def has_variable(name: str) -> bool:
    """Whether a variable of the environment sets the same: those of other OpenStack clients have one value."""
    field = Settings.model_fields[name]
    return field.default is None and not any(word in str(field.annotation) for word in ("Mapping", "list", "dict"))


def _kinds_with(name: str) -> str:
    """Return the kinds with an input of this name, as in a sentence."""
    *first, last = [code(each.name) for each in handlers() if name in each.inputs.model_fields]
    return f"{', '.join(first)} and {last}"


def _group(name: str) -> str:
    if name in _CLOUD:
        return "Cloud and region"
    if name in _TLS:
        return "Certificates"
    return "Credentials" if has_variable(name) else "Provider"
