"""The work of the commands for server configurations and sites, and in what the two differ."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from mst_admin.carry_out import carry_out
from mst_admin.change import Body, Change, Kind, Wire
from mst_admin.errors import NAME_TAKEN
from mst_admin.find import find_configuration, find_site
from mst_admin.judged_values import judged, renamed
from mst_admin.lines import details, result_of, table
from mst_admin.objects import ConfigurationObject, SiteObject
from mst_admin.plan import configuration_change, site_change
from mst_admin.rules_configuration import judge_configuration, judge_networks
from mst_admin.rules_site import judge_site
from mst_admin.session import make_sure, open_tenant
from mst_admin.wire import DEFAULT_SESSION_SECONDS, configuration_object, site_object
from mstunnel_setup.answers.document import validated
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import ValuesError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.io.network import addresses_of
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import TunnelConfiguration, TunnelSite

Declared = TypeVar("Declared", ConfigurationObject, SiteObject)
Present = TypeVar("Present", TunnelConfiguration, TunnelSite)
Extra = Body


class Properties(Protocol):
    """Properties of one object as options; `names` are the options by the keys of a declaration."""

    @property
    def names(self) -> Mapping[str, str]:
        """The option of each key."""
        ...

    def given(self, present: Wire, /) -> Body:
        """What was given, by the keys of a declaration; `present` is what the object has now."""
        ...


class ConfigurationProperties(Properties, Protocol):
    """Those of a server configuration."""

    @property
    def corporate_network(self) -> list[str] | None:
        """Networks of the administrator, to check for overlap."""
        ...

    def malformed(self) -> Iterable[Finding]:
        """What cannot be read at all."""
        ...


class SiteProperties(Properties, Protocol):
    """Those of a site."""

    @property
    def resolve(self) -> bool:
        """Whether to look up the public address."""
        ...


Options = TypeVar("Options", ConfigurationProperties, SiteProperties)


@dataclass(frozen=True)
class Objects(Generic[Declared, Present, Options]):
    """One kind of objects. `kind` is its name in results, `command` that of its commands.

    `all` reads what a list shows, `declare` and `object_of` make declared objects of options and of what the
    tenant has, `more` returns what `show` adds to the data and to the lines.
    """

    kind: Kind
    what: str
    command: str
    head: tuple[str, ...]
    all: Callable[[AdminGraph], Sequence[Present]]
    named: Callable[[AdminGraph, str], Sequence[Present]]
    find: Callable[[AdminGraph, str], Present]
    row: Callable[[Present], tuple[str, ...]]
    more: Callable[[AdminGraph, Present], tuple[Extra, Extra]]
    declare: Callable[[Extra], Declared]
    object_of: Callable[[Present], Declared]
    judge: Callable[[Declared, Options], Iterable[Finding]]
    change: Callable[[Declared, Present | None, datetime], Change | None]

    def list(self, operator: Operator, settings: Settings) -> Result:
        """All of them, by name."""
        found = sorted(
            self.all(open_tenant(operator, settings)), key=lambda item: item.display_name.casefold()
        )
        data = {f"{self.kind}s": [item.to_wire() for item in found]}
        nothing = text("There is no {what} yet.", what=self.what)
        return Result(data=data, text=lambda: table([self.row(item) for item in found], self.head, nothing))

    def show(self, operator: Operator, settings: Settings, wanted: str) -> Result:
        """One of them, as Graph has it and as it would be declared."""
        graph = open_tenant(operator, settings)
        found = self.find(graph, wanted)
        data, lines = self.more(graph, found)
        declared = self.object_of(found).model_dump(mode="json")
        return Result(data={**self._document(found), **data}, text=details({**declared, **lines}))

    def create(self, operator: Operator, settings: Settings, options: Options, name: str) -> Result:
        """A new one. Raises ValuesError for its values, TenantError `name-taken`."""
        declared, warnings = self._declared(options, {**options.given({}), "name": name})
        graph = open_tenant(operator, settings)
        self._require_free(graph, name)
        change = self._made(graph, self.change(declared, None, operator.clock.now()))
        return result_of(change, self._document(self.find(graph, name)), warnings)

    def update(
        self, operator: Operator, settings: Settings, options: Options, wanted: str, name: str | None
    ) -> Result:
        """Change what is given, which is judged together with what stays; errors as in `create`."""
        graph = open_tenant(operator, settings)
        present = self.find(graph, wanted)
        known = self.object_of(present).model_dump()
        new_name = {} if name is None else {"name": name}
        declared, warnings = self._declared(options, {**known, **options.given(known), **new_name})
        if declared.name.casefold() != present.display_name.casefold():
            self._require_free(graph, declared.name)
        change = self._made(graph, self.change(declared, present, operator.clock.now()))
        return result_of(change, {"id": present.id}, warnings)

    def delete(self, operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
        """Delete one, after asking."""
        graph = open_tenant(operator, settings)
        found = self.find(graph, wanted)
        make_sure(operator, f"Delete the {self.what} {found.display_name} ({found.id})?", yes=yes)
        change = self._made(graph, Change("delete", self.kind, found.display_name, found.id))
        return result_of(change, {"id": found.id})

    def _declared(self, options: Options, values: Extra) -> tuple[Declared, tuple[Problem, ...]]:
        """The object that is wanted, and the warnings. Raises ValuesError in the words of the options."""
        names = options.names
        try:
            declared = self.declare(values)
        except ValuesError as error:
            raise renamed(error, names) from error
        return declared, judged(self.judge(declared, options), names)

    def _require_free(self, graph: AdminGraph, name: str) -> None:
        """Graph allows two of one name, which no command and no declaration could tell apart."""
        if self.named(graph, name):
            raise NAME_TAKEN(
                place="tenant",
                kind=self.what,
                name=name,
                command=text("{command} update", command=self.command),
            )

    def _document(self, found: Present) -> Extra:
        return {self.kind: found.model_dump(mode="json", by_alias=True)}

    @staticmethod
    def _made(graph: AdminGraph, change: Change | None) -> Change | None:
        carry_out([change] if change else [], graph)
        return change


def _judge_configuration(
    declared: ConfigurationObject, options: ConfigurationProperties
) -> Iterable[Finding]:
    """What is wrong with the options, or what there is to say about the configuration."""
    own = [text.strip() for text in options.corporate_network or ()]
    unusable = [*options.malformed(), *judge_networks(own)]
    return (*unusable, *judge_configuration(declared, [] if unusable else own))


def _timeout(_graph: AdminGraph, found: TunnelConfiguration) -> tuple[Extra, Extra]:
    """The session timeout that servers take when none is set."""
    unset = configuration_object(found).session_timeout is None
    return {}, {"session_timeout": f"{DEFAULT_SESSION_SECONDS} (default)"} if unset else {}


def _servers(graph: AdminGraph, found: TunnelSite) -> tuple[Extra, Extra]:
    """The names of a site's servers, and whether they can be upgraded."""
    servers = [server.display_name for server in graph.servers(found.id)]
    return {"servers": servers}, {"upgrade_available": found.upgrade_available, "servers": servers}


CONFIGURATIONS = Objects[ConfigurationObject, TunnelConfiguration, ConfigurationProperties](
    kind="configuration",
    what=text("server configuration"),
    command="config",
    head=("NAME", "NETWORK", "PORT", "ID"),
    all=AdminGraph.configurations,
    named=AdminGraph.configurations,
    find=find_configuration,
    row=lambda item: (item.display_name, item.network or "", str(item.listen_port or ""), item.id),
    more=_timeout,
    declare=lambda values: validated(ConfigurationObject, {"network": "", **values}),
    object_of=configuration_object,
    judge=_judge_configuration,
    change=lambda declared, present, _now: configuration_change(declared, present),
)
_LISTED = ("id", "displayName", "publicAddress", "upgradeAvailable")
SITES = Objects[SiteObject, TunnelSite, SiteProperties](
    kind="site",
    what="site",
    command="site",
    head=("NAME", "PUBLIC ADDRESS", "ID"),
    all=lambda graph: graph.site_list(properties=_LISTED),
    named=AdminGraph.site_list,
    find=find_site,
    row=lambda item: (item.display_name, item.public_address or "", item.id),
    more=_servers,
    declare=lambda values: validated(SiteObject, values),
    object_of=site_object,
    judge=lambda declared, options: judge_site(declared, addresses_of if options.resolve else None),
    change=site_change,
)


def request_upgrade(operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
    """Approve the upgrade of all servers of a site, after asking; Graph cannot revoke it."""
    graph = open_tenant(operator, settings)
    found = find_site(graph, wanted)
    if found.upgrade_available is False:
        lines = [
            text(
                "No server of the site {display_name} can be upgraded: nothing was approved.",
                display_name=found.display_name,
            )
        ]
        return Result("unchanged", {"id": found.id}, text=lines)
    make_sure(
        operator, f"Upgrade all servers of the site {found.display_name}? It cannot be undone.", yes=yes
    )
    graph.request_upgrade(found.id)
    lines = [text("The upgrade of the site {display_name} is approved.", display_name=found.display_name)]
    return Result("changed", {"id": found.id}, text=lines)
