"""Generated files: `render` fills in a template of `templates/`, with one filter for each quoting rule.

No value can add a line: `render` refuses control characters in values of text files. Sources:
systemd.syntax(7), systemd.service(5), podman-systemd.unit(5), ocserv(8), the POSIX shell, YAML 1.2.
"""

import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mstunnel_setup.base.errors import StepError, declare
from mstunnel_setup.base.text import text

if TYPE_CHECKING:
    from jinja2 import Environment

UNQUOTABLE: Final = declare(
    StepError, "value-unquotable", "a generated file cannot hold {value!r}: {reason}", "Use another value."
)
# The templates are inside the installed package, but next to it in a checkout.
_PACKAGE: Final = Path(__file__).parents[1]
_DIRECTORIES: Final = (
    _PACKAGE / "templates",
    *(_PACKAGE.parent / name for name in ("templates", "images/gateway")),
)
# The line ends of every parser are among these; a surrogate is a byte that is not text.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9_./:=,@+-]+")


def render(name: str, /, **values: object) -> str:
    """Return the text of the template `name`, its path below `templates/` without `.j2`.

    Raises StepError `value-unquotable`.
    """
    return _environment().get_template(f"{name}.j2").render(values)


@cache
def _environment() -> "Environment":
    # The agent's image renders nothing and does not contain jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_eval_context  # noqa: PLC0415

    @pass_eval_context
    def finalize(context: Any, value: object) -> object:
        """Process every expression of a template; pages may contain line ends and are escaped."""
        return value if context.autoescape else _line(str(value))

    environment = Environment(
        loader=FileSystemLoader(_DIRECTORIES),
        undefined=StrictUndefined,
        # All other files have quoting rules of their own, which are filters.
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),  # noqa: S701
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    quoting = (systemd, systemd_command, systemd_text, quadlet, quadlet_word, shell, ocserv)
    rules = (*quoting, logrotate, plain, yaml)
    environment.filters.update({rule.__name__: rule for rule in rules})
    return environment


def _line(value: str) -> str:
    if _CONTROLS.search(value):
        raise UNQUOTABLE(value=value, reason=text("it has control characters"))
    return value


def plain(value: str) -> str:
    """Return `value` for a file without quotes, where blanks around it would be lost."""
    if value != value.strip():
        raise UNQUOTABLE(value=value, reason=text("it begins or ends with a blank"))
    return _line(value)


def systemd_text(value: str) -> str:
    """Quote `value` as the whole text of a unit's setting, such as `Description=`."""
    return _unquoted(value).replace("%", "%%")


def systemd(value: str) -> str:
    """Quote `value` as one word of a unit's setting, as in `Environment=` or the program of `ExecStart=`."""
    escaped = _line(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped.replace("%", "%%")}"'


def systemd_command(value: str) -> str:
    """Quote `value` as an argument in a unit's command line, where `$` is special, too."""
    return value if _PLAIN_WORD.fullmatch(value) else systemd(value).replace("$", "$$")


def quadlet(value: str) -> str:
    """Quote `value` for a Quadlet key that is not split into words; it ends up in a command line."""
    return _unquoted(value).replace("%", "%%").replace("$", "$$")


def quadlet_word(value: str) -> str:
    """Quote `value` as one word, for a Quadlet key that is split into words."""
    return systemd(value).replace("$", "$$")


def shell(value: str) -> str:
    """Quote `value` as one word that all shells and the reader of `env.sh` read alike."""
    if "'" not in value:
        return shlex.quote(_line(value))
    if "!" in value:
        raise UNQUOTABLE(value=value, reason=text("shells read ' together with ! differently"))
    return '"' + re.sub(r'(["\\$`])', r"\\\1", _line(value)) + '"'


def ocserv(value: object) -> str:
    """Return `value` for `ocserv.conf`; the template may add quotes around it."""
    word = plain(str(value))
    if set(word) & set('"\\#;'):
        raise UNQUOTABLE(value=word, reason=text('ocserv has no way to write ", \\, # and ;'))
    return word


def logrotate(value: str) -> str:
    """Quote `value` as a path for logrotate, which reads quoted names as patterns."""
    if set(value) & set('"\\*?[]{}'):
        raise UNQUOTABLE(value=value, reason=text("logrotate takes it for a pattern"))
    return f'"{_line(value)}"'


def yaml(value: str) -> str:
    """Return `value` as a double-quoted YAML scalar: every JSON string is one."""
    return json.dumps(_line(value), ensure_ascii=False)


def _unquoted(value: str) -> str:
    """Refuse a backslash at the end, which would join the next line."""
    if value.endswith("\\"):
        raise UNQUOTABLE(value=value, reason=text("it ends with a backslash"))
    return plain(value)
