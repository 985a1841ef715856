"""The settings of the answer file, from its models: place, option and environment variable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel

from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.values import Option
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject


@dataclass(frozen=True)
class Setting(Option):
    """A setting and its option; `path` is its path in the answer file, such as `tenant.ca_file`.

    `kind` is the type of its value.
    """

    path: str = ""
    kind: Any = str
    default: object = None

    @property
    def optional(self) -> bool:
        """True if it has no value by default."""
        return self.default is None

    @property
    def section(self) -> bool:
        """True if its keys are free, which no variable can hold."""
        return get_origin(self.kind) is dict

    @property
    def variable(self) -> str:
        """The environment variable: MSTUNNEL_ and the option, or the path if there is no option."""
        name = self.option.removeprefix("--") or self.path
        return "MSTUNNEL_" + name.upper().replace("-", "_").replace(".", "_")

    def ways(self) -> str:
        """Return how to give the setting, for a hint."""
        option = f"{self.option}, " if self.option else ""
        return text(
            "{option}{variable} or `{path}` in the answer file",
            option=option,
            variable=self.variable,
            path=self.path,
        )


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{name}.")
        elif name != "version" or prefix:
            option = next((item for item in info.metadata if isinstance(item, Option)), Option())
            yield Setting(**vars(option), path=f"{prefix}{name}", kind=kind, default=info.default)


SETTINGS = tuple(_settings(AnswerFile))
BY_PATH: Mapping[str, Setting] = {setting.path: setting for setting in SETTINGS}


def flat(answers: Mapping[str, Any]) -> JsonObject:
    """Flatten nested answers: return them by setting path, such as `tenant.cloud`."""
    found: JsonObject = {}
    for name, value in answers.items():
        if name in BY_PATH:
            found[name] = value
        elif isinstance(value, Mapping):
            found |= {f"{name}.{key}": item for key, item in value.items()}
    return found
