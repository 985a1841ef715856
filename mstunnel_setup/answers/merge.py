"""Merge option, environment, answer file, earlier answer, backup, default; each value keeps its origin."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from pydantic import Field

from mstunnel_setup.answers.choices import SIGN_IN, overruled
from mstunnel_setup.answers.document import KeyProblem
from mstunnel_setup.answers.load import AnswersError, LoadedAnswers, judge
from mstunnel_setup.answers.model import VERSION, AnswerFile
from mstunnel_setup.answers.settings import BY_PATH, SETTINGS, Setting, flat
from mstunnel_setup.answers.values import Key
from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.text import Text, joined, quoted, text
from mstunnel_setup.base.values import JsonObject

ENVIRONMENT_INVALID = declare(
    UsageError,
    "environment-invalid",
    "the environment variable {variable} cannot be {value}: {reason}",
    "Set it to {expected}, or unset it.",
)
OriginKind: TypeAlias = Literal["option", "environment", "file", "earlier", "backup", "default"]
"""The sources of values, strongest first."""

_NAMES: Mapping[str, Callable[[Setting], str]] = {
    "option": lambda setting: setting.option,
    "environment": lambda setting: setting.variable,
}
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})
# The vendor's setup script has these names of clouds (reference: its environment variables).
_VENDOR_CLOUDS = {"FXP": "gcc-high", "PE": "public"}
_21VIANET = "MCP"


@dataclass(frozen=True)
class Origin:
    """Origin of a value: the kind of source, and its name (option, variable, or place in the file)."""

    kind: OriginKind
    name: str = ""

    def __str__(self) -> str:
        return str(self.words)

    @property
    def words(self) -> str:
        """The source as text to display."""
        kind = text("earlier answer") if self.kind == "earlier" else text(self.kind)
        if self.kind == "file":
            return self.name
        return text("{kind} {name}", kind=kind, name=self.name) if self.name else kind


class Answers(AnswerFile):
    """The merged answers; `origins` has the source of each value, by setting path (`tenant.cloud`)."""

    origins: dict[str, Origin] = Field(default_factory=dict, exclude=True)

    def record(self) -> JsonObject:
        """Return the given answers by setting path, for the journal; secrets are references."""
        values = flat(self.model_dump(mode="json"))
        return {
            path: values[path]
            for path, origin in self.origins.items()
            if origin.kind != "default" and values[path] is not None
        }

    def withdrawn(self, path: str) -> bool:
        """Return whether the answer file sets the setting to `null`, which withdraws earlier answers."""
        return self.value(path) is None and self.origins[path].kind != "default"

    def value(self, path: str) -> object:
        """Return the value of the setting at `path`; None without an answer and a default."""
        found: object = self
        for name in path.split("."):
            found = getattr(found, name)
        return found


@dataclass(frozen=True)
class _Given:
    value: object
    origin: Origin

    @property
    def rank(self) -> int:
        return get_args(OriginKind).index(self.origin.kind)


_Layer: TypeAlias = dict[str, _Given]


def merge(
    options: Mapping[str, object],
    environment: Mapping[str, str],
    file: LoadedAnswers | None = None,
    earlier: Mapping[str, object] | None = None,
    backup: Mapping[str, object] | None = None,
) -> Answers:
    """Return the merged answers.

    `options`, `earlier` and `backup` are by setting path; an option that was not given is absent or None.
    Empty variables count as not set; a setting that the file gives as `null` is withdrawn. Raises
    AnswersError that names every invalid value by its origin.
    """
    of_options = {
        path: _Given(value, Origin("option", BY_PATH[path].option))
        for path, value in options.items()
        if value not in (None, ())
    }
    of_environment = _from_environment(environment)
    of_file: _Layer = {}
    if file is not None:
        for path, value in flat(file.answers.model_dump(mode="json", exclude_unset=True)).items():
            place = file.positions[tuple(path.split("."))]
            of_file[path] = _Given(value, Origin("file", f"{file.name}:{place.line}:{place.column}"))
    chosen = {
        **_recorded("backup", backup or {}),
        **_recorded("earlier", earlier or {}),
        **of_file,
        **_implied(of_environment),
        **_implied(of_options),
    }
    withdrawn = {path: given for path, given in chosen.items() if given.value is None}
    chosen = _without_overruled({path: given for path, given in chosen.items() if path not in withdrawn})
    raw: dict[str, Any] = {"version": VERSION}
    for path, item in chosen.items():
        section, dot, key = path.partition(".")
        if dot:
            raw.setdefault(section, {})[key] = item.value
        else:
            raw[section] = item.value
    answers, problems = judge(raw)
    if answers is None:
        raise _refused(problems, chosen)
    given = {**chosen, **withdrawn}
    origins = {
        setting.path: given[setting.path].origin if setting.path in given else Origin("default")
        for setting in SETTINGS
    }
    sections = {name: getattr(answers, name) for name in answers.model_fields_set}
    return Answers(**sections, origins=origins)


def answered(answers: Answers, given: Mapping[str, object]) -> Answers:
    """Return `answers` with additional values; the other origins stay. Raises AnswersError.

    A setting given as None loses its value. Raises AnswersError.
    """
    values = flat(answers.model_dump(mode="json"))
    # Named defaults belong to a release; another merge would not restore them.
    kept = {
        name: values[name]
        for name, origin in answers.origins.items()
        if origin != Origin("default") and given.get(name, "") is not None
    }
    merged = merge(given, {}, earlier=kept)
    for name, origin in answers.origins.items():
        if merged.origins[name].kind == "earlier":
            merged.origins[name] = origin
    return merged


def require(answers: Answers, paths: Iterable[str]) -> None:
    """Raise UsageError `answers-missing`, naming all settings of `paths` without a value, at once."""
    missing = [BY_PATH[path] for path in paths if answers.value(path) in (None, (), {})]
    if missing:
        lines = [text("`{path}`: give {ways}", path=setting.path, ways=setting.ways()) for setting in missing]
        raise UsageError(
            "answers-missing",
            "required answers are missing:\n{settings}",
            hint="Add them, or run the command without --unattended to be prompted.",
            settings=joined(lines, "\n"),
        )


def _from_environment(environment: Mapping[str, str]) -> _Layer:
    layer: _Layer = {}
    if _truth("mst_rootless_mode", environment.get("mst_rootless_mode", "")):
        layer["mode"] = _Given("rootless", Origin("environment", "mst_rootless_mode"))
    if cloud := environment.get("intune_env", ""):
        if cloud not in _VENDOR_CLOUDS:
            raise ENVIRONMENT_INVALID(
                variable="intune_env",
                value=quoted(cloud),
                reason=text("Microsoft Tunnel is not available in the cloud of 21Vianet")
                if cloud == _21VIANET
                else text("there is no such cloud"),
                expected=text("FXP (GCC High) or PE (public)"),
            )
        layer["tenant.cloud"] = _Given(_VENDOR_CLOUDS[cloud], Origin("environment", "intune_env"))
    for setting in SETTINGS:
        given = environment.get(setting.variable, "")
        if given and not setting.section and (not setting.flag or _truth(setting.variable, given)):
            value = setting.flag or (f"file:{given}" if setting.secret else given)
            layer[setting.path] = _Given(value, Origin("environment", setting.variable))
    return layer


def _truth(variable: str, value: str) -> bool:
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ENVIRONMENT_INVALID(
        variable=variable, value=quoted(value), reason=text("it is on or off"), expected=text("1 or 0")
    )


def _implied(layer: _Layer) -> _Layer:
    """Return the layer; without a sign-in method, a key that only one method uses implies that method."""
    for method, paths in SIGN_IN.variants.items():
        for path in paths:
            if path in layer:
                return {"sign_in.method": _Given(method, layer[path].origin), **layer}
    return layer


def _recorded(kind: OriginKind, answers: Mapping[str, object]) -> _Layer:
    """Return the recorded answers without settings that this version no longer knows."""
    return {path: _Given(value, Origin(kind)) for path, value in answers.items() if path in BY_PATH}


def _without_overruled(layer: _Layer) -> _Layer:
    """Return the layer without settings that a stronger source's choice excludes."""
    beaten = overruled(
        {path: given.value for path, given in layer.items()},
        {path: given.rank for path, given in layer.items()},
    )
    return {path: given for path, given in layer.items() if path not in beaten}


def _refused(problems: Sequence[KeyProblem], chosen: _Layer) -> AnswersError:
    """Return all problems as one error that names the option or variable of each invalid value."""
    lines = set()
    for problem in problems:
        # The origin of the value, or of the first value in its section.
        path, section = ".".join(problem.path), problem.path[0]
        near = [key for key in chosen if path == key or path.startswith(f"{key}.")] or [
            key for key in chosen if key.startswith(f"{section}.")
        ]
        origin = chosen[near[0]].origin if near else Origin("default")
        message = problem.text
        if origin.kind in _NAMES and isinstance(message, Text) and message.values:
            values = dict(message.values)
            for name, value in values.items():
                if not isinstance(value, Key):
                    continue
                setting = BY_PATH.get(f"{section}.{value}") or BY_PATH.get(value)
                if setting and setting.path.partition(".")[0] == section:
                    values[name] = _NAMES[origin.kind](setting) or value
            message = Text(message.template, values)
        lines.add(text("{origin}: {problem}", origin=origin.words, problem=message))
    return AnswersError(tuple(sorted(lines)))
