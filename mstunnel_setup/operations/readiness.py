"""`mst-readiness`: assemble the examination and run it."""

import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import Answers, merge
from mstunnel_setup.answers.secret import reveal
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CA_FILE_MISSING, NOT_ROOT, ExitCode, SetupError, UsageError
from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.install import certificate_source
from mstunnel_setup.install.installed import LAST_STEP, account_in, journal_of
from mstunnel_setup.install.run_answers import with_release_images
from mstunnel_setup.install.step_list import step_names
from mstunnel_setup.install.tenant_sign_in import CLIENT_ID_QUESTION, cloud_of, roots_of, sign_in
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.errors import CA_FILE_UNREADABLE, PERMISSION_DENIED, FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Prompter
from mstunnel_setup.operations.readiness_report import (
    ALL_GROUPS,
    FindingReport,
    FixReport,
    PlatformReport,
    ReadinessReport,
    ResultCounts,
    lines,
    platform_lines,
)
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.data import (
    endpoints_of,
    platforms,
    with_registries,
)
from mstunnel_setup.readiness.examine import Examiner, Wanted
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.facts.tenant_account import AccountFacts, ask_tenant
from mstunnel_setup.readiness.fix import Fix, apply, fixes
from mstunnel_setup.readiness.model import (
    CheckFinding,
    Group,
    Outcome,
    left_to_installation,
    readiness,
    undecided,
)
from mstunnel_setup.tenant.sign_in import SETUP_PERMISSIONS
from mstunnel_setup.tenant.wire import USER_READ
from mstunnel_setup.transaction.receipt import Receipt

_PORT = 443
# The tenant gets a share of the total time, so that one that does not answer is still reported.
_ACCOUNT_SHARE = 0.8


@dataclass(frozen=True)
class ReadinessRequest:
    """A request: `scope` is `all` or the name of a group, `timeout` is in seconds.

    Attributes:
        scope: `all` or the name of a group.
        settings: Answers by setting path.
        ignored_checks: Ids of checks whose failure is ignored.
        fix: Offer to fix failed checks.
        timeout: Seconds for the whole examination.
        port: The gateway's port; 0 stands for the configured one.
        devices: The number of devices to size for.
        address: The public address that the certificate must name, if any.
    """

    scope: str = ALL_GROUPS
    settings: Mapping[str, object] = field(default_factory=dict)
    ignored_checks: tuple[str, ...] = ()
    fix: bool = False
    timeout: float = 20.0
    port: int = 0
    devices: int = 1000
    address: str = ""

    @property
    def groups(self) -> frozenset[Group]:
        """The groups that the scope contains."""
        return frozenset(Group) if self.scope == ALL_GROUPS else frozenset({Group(self.scope)})


def run(operator: Operator, request: ReadinessRequest) -> Result[ReadinessReport]:
    """Examine the host; the exit code is 3 if a required check failed that is not ignored."""
    checks.refuse_unknown(request.ignored_checks)
    own = {"mode": "rootless"} if request.scope == Group.ROOTLESS else {}
    file = None if operator.answers is None else load(operator.answers)
    answers = with_release_images(merge({**request.settings, **own}, os.environ, file))
    examiner = Examiner(operator.files, operator.processes, operator.clock, answered=answers.environment)
    host = _host_receipt(operator)
    wanted = _wanted(operator, request, answers, examiner, account_in(host))
    installed = any(step in host.steps for step in LAST_STEP.values())
    steps = frozenset[str]() if installed else step_names(answers.mode)
    facts = examiner.facts(wanted)
    found = checks.judge(checks.of(wanted.groups), facts)
    if not request.fix:
        return _result(operator, request, left_to_installation(found, steps))
    proposed = [item for item in fixes(found, facts) if examiner.files.live or item.path]
    failed = _fix(operator.console, examiner, proposed)
    found = found if failed is None else examiner.findings(wanted)
    return _result(operator, request, left_to_installation(found, steps), proposed, failed)


def _host_receipt(operator: Operator) -> Receipt:
    """Return root's receipt on this host; an empty one for a user who may not read it."""
    try:
        return journal_of(Scope.HOST, operator, despite_damage=True).receipt
    except FileError as error:
        if error.code != PERMISSION_DENIED.code:
            raise
        return Receipt({})


def _result(
    operator: Operator,
    request: ReadinessRequest,
    found: tuple[CheckFinding, ...],
    proposed: Sequence[Fix] = (),
    failed_fixes: Mapping[Fix, SetupError] | None = None,
) -> Result[ReadinessReport]:
    """Return the findings and the proposed fixes; without `failed_fixes`, no fix was tried."""
    ignored = frozenset(request.ignored_checks)
    failed = [item for item in found if item.result is Outcome.FAIL and item.id not in ignored]
    open_ = {Outcome.WARNING, Outcome.FAIL}
    doubtful = [item for item in found if item.result in open_ and item not in failed]
    doubtful += undecided(found, ignored)
    tried, not_fixed = failed_fixes is not None, failed_fixes or {}
    warnings = [
        warning(
            "fix-failed",
            "could not {fix}: {reason}",
            hint="{advice}",
            fix=item.says,
            reason=why.message,
            advice=why.hint,
        )
        for item, why in not_fixed.items()
    ]
    warnings += [item.problem for item in doubtful]
    table = platforms()
    report = ReadinessReport(
        scope=request.scope,
        verdict=readiness(found, ignored),
        findings=tuple(map(FindingReport.of, found)),
        summary=ResultCounts.of(found),
        ignored=tuple(sorted(ignored)),
        fixes=tuple(
            FixReport(
                checks=item.checks, says=item.says, undo=item.undo, done=tried and item not in not_fixed
            )
            for item in proposed
        ),
        **({"platforms": PlatformReport.of(table)} if Group.HOST in request.groups else {}),
    )
    more = platform_lines(table) if request.scope == Group.HOST else ()
    return Result(
        "error" if failed else "warning" if warnings else "changed" if tried else "ok",
        report,
        warnings=tuple(warnings),
        errors=tuple(item.problem for item in failed),
        text=lambda: lines(found, ignored, more, verbose=operator.verbose),
        exit_code=ExitCode.CHECK if failed else ExitCode.DONE,
    )


def _fix(console: Prompter, examiner: Examiner, proposed: Sequence[Fix]) -> Mapping[Fix, SetupError] | None:
    """Show the fixes and apply them if agreed; return the failed ones, or None if none was applied.

    An unattended run agrees; an input that ends without an answer does not. Raises CheckError without root.
    """
    if not proposed:
        console.say("No fix is available for the failed checks.")
        return None
    says = [text("  - {says}", says=item.says) for item in proposed]
    undo = dict.fromkeys(text("  - {undo}", undo=item.undo) for item in proposed)
    console.say(joined([text("Available fixes:"), *says], "\n"))
    console.say(joined([text("To undo them later:"), *undo], "\n"))
    live = examiner.files.live
    if live and os.geteuid() != 0:
        raise NOT_ROOT(what=text("applying fixes"))
    try:
        agreed = not console.interactive or console.confirm("Apply these fixes")
    except UsageError as error:
        if error.code != "input-ended":
            raise
        agreed = False
        console.say(
            "There was no answer, so nothing was changed. Use --unattended to apply fixes without asking."
        )
    return apply(proposed, examiner.files, examiner.processes, live=live) if agreed else None


def _wanted(
    operator: Operator, request: ReadinessRequest, answers: Answers, examiner: Examiner, account: str
) -> Wanted:
    installed = json_object(examiner.files.read(paths.ADMIN_SETTINGS) or b"")
    port = installed.get("ListenPort")
    # The gateway's account, or the account that will run it: this process's, or the one in the answers.
    to_be = own_name() if paths.ROOTLESS else answers.account
    settings = Settings(
        mode=answers.mode,
        account=account or to_be,
        engine=answers.engine,
        cloud=answers.tenant.cloud,
        port=request.port or (port if isinstance(port, int) else _PORT),
        devices=request.devices,
    )
    where, ca_pem = cloud_of(answers), _ca_pem(answers, examiner.files)
    read_account = _account(operator, request, answers, roots_of(examiner.files, ca_pem), examiner)
    before = request.scope != ALL_GROUPS and read_account is not None

    def passphrase(_reference: str | None) -> bytes | None:
        given, protect = answers.certificate.passphrase, operator.secrets.register
        return reveal(given, operator.files, protect, may_be_empty=True).encode() or None

    return Wanted(
        settings=settings,
        groups=request.groups,
        endpoints=with_registries(
            endpoints_of(where.name, where.authority, where.graph),
            (answers.images.server, answers.images.agent),
            offline=bool(answers.images.archive),
        ),
        deadline=request.timeout,
        certificate=certificate_source.named(answers),
        passphrase=passphrase,
        address=request.address,
        site=answers.site or "",
        ca_pem=ca_pem,
        account=read_account() if before and read_account else AccountFacts(tried=False),
        read_account=None if before else read_account,
    )


def _ca_pem(answers: Answers, files: Files) -> str:
    path = answers.tenant.ca_file
    if path is None:
        return answers.tenant.ca_pem or ""
    content = files.read_given(path)
    if content is None:
        raise CA_FILE_MISSING(path=path)
    pem = content.decode("ascii", errors="ignore")
    try:
        ssl.create_default_context().load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise CA_FILE_UNREADABLE(ca_file=path) from error
    return pem


def _account(
    operator: Operator, request: ReadinessRequest, answers: Answers, roots: str, examiner: Examiner
) -> Callable[[], AccountFacts] | None:
    """Return the function that asks the tenant for the account's facts; None if they are not wanted.

    The scope `all` has no interactive sign-in, because it would wait for a person.
    """
    given = answers.sign_in
    if Group.ACCOUNT not in request.groups or (request.scope == ALL_GROUPS and given.method == "device-code"):
        return None
    seconds = request.timeout * _ACCOUNT_SHARE

    def read() -> AccountFacts:
        http = examiner.open_http(roots, timeout=seconds, deadline=seconds)
        enter = partial(
            sign_in,
            answers,
            http,
            examiner.clock,
            operator.console,
            operator.files.given,
            permissions=(*SETUP_PERMISSIONS, USER_READ),
            client_id=lambda: answers.client_id or operator.console.ask(CLIENT_ID_QUESTION),
            secret=partial(reveal, files=operator.files, protect=operator.secrets.register),
        )
        try:
            return ask_tenant(http, examiner.clock, cloud_of(answers), enter)
        finally:
            http.close()

    return read
