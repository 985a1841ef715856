"""Step `site`: choose the site to join, and check that the certificate contains its public address."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.tenant_objects import site_deleted
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, TenantError, UsageError
from mstunnel_setup.base.text import plain, text, with_hint
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates import generations
from mstunnel_setup.install import certificate_source
from mstunnel_setup.install.joined_site import JoinedSite
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import certificate, eula
from mstunnel_setup.install.steps.certificate import Certificate, examine
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.wire import TunnelSite
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_ANOTHER_SITE = (("site", text("Choose another site")),)
_ANOTHER_CERTIFICATE = (("certificate", text("Use another certificate")), ("stop", text("Stop")))
_ANOTHER_PATH = text("Path of another certificate (Enter to go back, or type stop)")
_COUNTED = 10


@dataclass(frozen=True)
class ChosenSite:
    """The chosen site: its GUID, name and public address, and all answers if a person gave one.

    `certificate` is the one that a person chose because the first does not contain this address.
    """

    id: str
    name: str
    public_address: str
    answers: JsonObject | None
    certificate: Certificate | None = None


def gather(run: Run, refuse_unsuited: Callable[[Run], None] = lambda _run: None) -> ChosenSite:
    """Choose the site; if the certificate does not contain its address, a person chooses again.

    `refuse_unsuited` raises for a chosen site that this host cannot serve.
    """
    replaced: Certificate | None = None
    named = False
    while True:
        site = choose(run)
        refuse_unsuited(run)
        earlier = run.joined_site
        if earlier and earlier.id != site.id:
            raise TenantError(
                "site-changed",
                "this server belongs to site {earlier}, not to {display_name}",
                hint="Remove it with `mst-cli uninstall` first, or correct the answer `site`.",
                earlier=earlier.name,
                display_name=plain(site.display_name),
            )
        try:
            if named:
                replaced = certificate.suitable(run, site.public_address, _refuse)
            else:
                require_named(run, site)
            break
        except CertificateError as error:
            if not run.console.interactive:
                raise
            named = _named_another(run, error) or named
    typed = eula.answers_to_store(run) if run.person_answered else None
    return ChosenSite(site.id, plain(site.display_name), plain(site.public_address or ""), typed, replaced)


def _refuse(_run: Run, error: CertificateError) -> None:
    raise error


def _named_another(run: Run, error: CertificateError) -> bool:
    """Let a person name another certificate or choose another site; return True for a certificate.

    Raises `error` if they stop, and at the end of the input.
    """
    run.console.say("Certificate: {problem}", problem=with_hint(error.message, error.hint))
    rows = [*(() if run.joined_site else _ANOTHER_SITE), *_ANOTHER_CERTIFICATE]
    try:
        chosen = run.console.choose("How to continue", rows, (text("Choice"),))
    except UsageError as ended:
        raise error from ended
    if chosen == "stop":
        raise error
    if chosen == "certificate":
        certificate_source.ask_for_another(run, error, _ANOTHER_PATH)
        return True
    run.site = _asked(run, _sorted(run.host.graph.sites()))
    return False


def require_named(run: Run, site: TunnelSite) -> None:
    """Raise CertificateError unless the certificate contains the site's public address, if it has one."""
    if site.public_address:
        # The certificate is the one read in this run, or the one that an earlier run placed.
        in_use = generations.source(run.files, paths.ACTIVE)
        placed = run.identity or run.host.load(in_use)
        examine(run, placed, site.public_address)


def chosen_id(run: Run) -> str:
    """Return the GUID of the chosen site. Raises TenantError before the step `site`."""
    if run.site is not None:
        return run.site.id
    if not run.joined_site:
        raise TenantError("site-missing", "no site has been chosen yet", hint="Run the step `site` first.")
    return run.joined_site.id


def choose(run: Run) -> TunnelSite:
    """Return the site to join, chosen once in a run. Raises TenantError if it does not exist."""
    if run.site is None:
        run.site = _chosen(run)
    return run.site


def _chosen(run: Run) -> TunnelSite:
    earlier, wanted = run.joined_site, run.answers.site
    if earlier and run.answers.origins["site"].kind in ("earlier", "default"):
        # The joined site takes precedence: an earlier answer may name a site that was left, or an old name.
        wanted = earlier.id
    # A site is requested by its GUID without listing all, since a tenant may have thousands.
    given = (wanted or "").strip()
    if is_guid(given) and (found := run.host.graph.site(given)):
        return found
    sites = _sorted(run.host.graph.sites())
    if not sites:
        raise TenantError(
            "site-none",
            "the tenant has no site",
            hint="Create a site in the admin center, then run the command again.",
        )
    if earlier and wanted == earlier.id and all(site.id != wanted for site in sites):
        raise site_deleted(f"{earlier.name} ({wanted})")
    if wanted is not None:
        try:
            return _find(sites, wanted)
        except TenantError as error:
            if not run.console.interactive:
                raise
            run.console.say(with_hint(error.message, error.hint))
    return _asked(run, sites)


def _sorted(sites: Sequence[TunnelSite]) -> list[TunnelSite]:
    return sorted(sites, key=lambda site: site.display_name.casefold())


def _asked(run: Run, sites: Sequence[TunnelSite]) -> TunnelSite:
    # The servers are counted only for a few sites, since each site costs a request.
    counted = len(sites) <= _COUNTED
    rows = [
        (
            site.id,
            plain(site.display_name),
            plain(site.public_address or ""),
            str(len(run.host.graph.servers(site.id))) if counted else "",
        )
        for site in sites
    ]
    columns = (text("Name"), text("Address"), text("Servers"))
    chosen = _find(sites, run.console.choose("Sites of the tenant", rows, columns))
    # The choice becomes an answer, which the first change stores, so a stopped run need not ask again.
    run.take({"site": chosen.id})
    return chosen


def _find(sites: Sequence[TunnelSite], wanted: str) -> TunnelSite:
    """Return the site with this GUID, else with this name, which only one site may have."""
    key = wanted.strip().casefold()
    found = [site for site in sites if site.id.casefold() == key]
    found = found or [site for site in sites if site.display_name.casefold() == key]
    if len(found) == 1:
        return found[0]
    if found:
        guids = ", ".join(site.id for site in found)
        raise TenantError(
            "site-ambiguous",
            "{count} sites are named {site}",
            hint="Give the GUID of one of them: {guids}.",
            count=len(found),
            site=wanted,
            guids=guids,
        )
    names = ", ".join(plain(site.display_name) for site in sites[:10])
    raise TenantError(
        "site-unknown",
        "the tenant has no site called {site}",
        hint="Give one of: {names}.",
        site=wanted,
        names=names,
    )


def _decide(site: ChosenSite) -> Sequence[Action]:
    value = JoinedSite(id=site.id, name=site.name, public_address=site.public_address)
    joined = StoreAnswer(name="joined-site", value=value.data)
    placed = certificate.STEP.decide(site.certificate) if site.certificate else ()
    # All answers are stored, so that a later run does not repeat the questions asked after the terms of use.
    answers = () if site.answers is None else (StoreAnswer(name="answers", value=site.answers),)
    return (*placed, *answers, joined)


def _refuse_address(run: Run, steps: Collection[str]) -> None:
    """Raise CertificateError if an unattended run's certificate does not contain the site's address."""
    if run.receipt.entries or run.console.interactive or not {"certificate", "sign-in"} <= set(steps):
        return
    if (source := certificate_source.present(run)) is not None:
        identity, address = certificate_source.load(run, source), choose(run).public_address
        certificate.refuse(certificate.findings(run, identity, address))


STEP = Step(
    "site",
    text("Site to join"),
    gather,
    _decide,
    missing=lambda run: () if run.joined_site else ("site",),
    refuse=_refuse_address,
    needs=("sign-in",),
)
