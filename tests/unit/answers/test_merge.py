"""Merging of answers: precedence, origins, and settings that a stronger source excludes."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from mstunnel_setup.answers.choices import CHOICES, Selected
from mstunnel_setup.answers.describe import lines, new_file, schema, show
from mstunnel_setup.answers.load import AnswersError, LoadedAnswers, parse
from mstunnel_setup.answers.merge import Answers, answered, merge, require
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.answers.settings import BY_PATH, SETTINGS
from mstunnel_setup.answers.values import Part
from mstunnel_setup.base.errors import UsageError
from tests.cases import every
from tests.refusals import refused

FULL = (Path(__file__).parent / "good" / "full.yaml").read_bytes()


def _file(text: str) -> LoadedAnswers:
    return parse(f"version: 1\n{text}".encode(), "answers.yaml")


def test_defaults_apply_without_any_source() -> None:
    answers = merge({}, {})
    assert (answers.mode, answers.engine, answers.tenant.cloud, answers.sign_in.method) == (
        "rootful",
        "auto",
        "public",
        "device-code",
    )
    assert set(answers.origins) == {setting.path for setting in SETTINGS}
    assert {origin.kind for origin in answers.origins.values()} == {"default"}
    assert answers.record() == {}


def test_sources_have_an_order_of_precedence() -> None:
    options = {"site": "option"}
    environment = {"MSTUNNEL_SITE": "environment"}
    file, earlier, backup = _file("site: file\n"), {"site": "earlier"}, {"site": "backup"}
    seen = [
        merge(options, environment, file, earlier),
        merge({}, environment, file, earlier),
        merge({}, {}, file, earlier),
        merge({}, {}, None, earlier, backup),
        merge({}, {}, None, {}, backup),
        merge({}, {}),
    ]
    assert [answers.site for answers in seen] == ["option", "environment", "file", "earlier", "backup", None]
    assert [str(answers.origins["site"]) for answers in seen] == [
        "option --site",
        "environment MSTUNNEL_SITE",
        "answers.yaml:2:7",
        "earlier answer",
        "backup",
        "default",
    ]


@every(
    "environment, path, value",
    [
        ({"mst_rootless_mode": "1"}, "mode", "rootless"),
        ({"mst_rootless_mode": "0"}, "mode", "rootful"),
        ({"MSTUNNEL_ROOTLESS": "true"}, "mode", "rootless"),
        ({"intune_env": "FXP"}, "tenant.cloud", "gcc-high"),
        ({"intune_env": "PE"}, "tenant.cloud", "public"),
        ({"intune_env": "FXP", "MSTUNNEL_TENANT_CLOUD": "dod"}, "tenant.cloud", "dod"),
        ({"MSTUNNEL_ACCEPT_EULA": "1"}, "eula", "accept"),
        ({"MSTUNNEL_CA_FILE": "/ca.pem"}, "tenant.ca_file", "/ca.pem"),
        ({"MSTUNNEL_OFFLINE": "/i.tar"}, "images.archive", ("/i.tar",)),
        ({"MSTUNNEL_CERT": "/c.pem", "MSTUNNEL_KEY": "/k.pem"}, "certificate.chain", ("/c.pem",)),
        ({"MSTUNNEL_SITE": ""}, "site", None),
        ({"MSTUNNEL_ENVIRONMENT": "x"}, "environment", {}),
        ({"MSTUNNEL_TOKEN_VERSION": "2"}, "token.version", "2"),
        ({"MSTUNNEL_TOKEN_MAXIMUM_LIFETIME": "7200"}, "token.maximum_lifetime", 7200),
        ({"MSTUNNEL_TOKEN_REQUIRED_CLAIMS": "x"}, "token.required_claims", {}),
        (
            {"MSTUNNEL_PFX": "/s.pfx", "MSTUNNEL_PASSPHRASE_FILE": "/p"},
            *("certificate.passphrase", SecretReference("file", "/p")),
        ),
    ],
)
def test_environment_variable_sets_a_setting(
    environment: Mapping[str, str], path: str, value: object
) -> None:
    assert merge({}, environment).value(path) == value


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("intune_env", "MCP", "not available in the cloud of 21Vianet"),
        ("mst_rootless_mode", "maybe", "it is on or off"),
        ("MSTUNNEL_ACCEPT_EULA", "2", "it is on or off"),
    ],
)
def test_invalid_environment_variable_is_refused(variable: str, value: str, reason: str) -> None:
    with refused(UsageError, "environment-invalid") as caught:
        merge({}, {variable: value})
    assert f"{variable} cannot be “{value}”" in caught.value.message
    assert reason in caught.value.message


def test_all_problems_are_reported_at_once_with_origin() -> None:
    # Release 0.2.0 supported RADIUS and may have recorded these; the unknown key `radius.secret` is ignored.
    earlier = {"authentication": "radius", "radius.secret": "file:/s"}
    with pytest.raises(UsageError) as caught:
        merge({"certificate.key": "/k.pem"}, {"MSTUNNEL_ENGINE": "lxc"}, None, earlier)
    assert caught.value.message.splitlines() == [
        "earlier answer: `authentication` must be `oidc` or `certificate`",
        "environment MSTUNNEL_ENGINE: `MSTUNNEL_ENGINE` must be `auto`, `podman` or `docker`",
        "option --key: `--key` requires `--cert`: add it",
    ]


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
APPLICATION = "11111111-2222-3333-4444-555555555555"
CHAIN = "certificate: {chain: /c.pem, key: /k.pem}\n"
PFX = "certificate: {pfx: /s.pfx, passphrase: 'file:/p'}\n"
DEVICES = {"authentication": "certificate", "devices.ca_file": "/ca.pem", "devices.crl_file": "/ca.crl"}
BOTH = {"authentication": "oidc", "authentication_also": "certificate", "devices.ca_file": "/ca.pem"}
PAIR = {"certificate.chain": "/c.pem", "certificate.key": "/k.pem"}
PASSPHRASE = {"certificate.passphrase": "file:/p"}
CA_PEM = {"tenant.ca_pem": PEM}
SECRET = f'identity: {{client_id: {APPLICATION}, client_secret: "file:/secret"}}\n'


@pytest.mark.parametrize(
    ("sources", "left"),
    [
        # A PFX excludes chain and key; a passphrase alone belongs to the PFX at its default path.
        ({"options": {"certificate.pfx": "/s.pfx"}, "file": CHAIN}, {"certificate.pfx": "/s.pfx"}),
        ({"options": PASSPHRASE, "file": CHAIN}, PASSPHRASE),
        ({"options": PAIR, "file": PFX}, {**PAIR, "certificate.chain": ["/c.pem"]}),
        # Another authentication method excludes the settings of the old one.
        (
            {"environment": {"MSTUNNEL_AUTHENTICATION": "oidc"}, "earlier": DEVICES},
            {"authentication": "oidc"},
        ),
        (
            {"environment": {"MSTUNNEL_AUTHENTICATION_ALSO": "none"}, "earlier": BOTH},
            {"authentication": "oidc", "authentication_also": "none"},
        ),
        (
            {"environment": {"MSTUNNEL_AUTHENTICATION": "certificate"}, "earlier": BOTH},
            {"authentication": "certificate", "devices.ca_file": "/ca.pem"},
        ),
        # Another credential excludes the old one, but keeps the id of the application.
        (
            {"environment": {"MSTUNNEL_IDENTITY_PFX": "/agent.pfx"}, "file": SECRET},
            {"identity.client_id": APPLICATION, "identity.pfx": "/agent.pfx"},
        ),
        # Roots in the answer file exclude a file with roots.
        ({"options": {"tenant.ca_file": "/a.pem"}, "earlier": CA_PEM}, {"tenant.ca_file": "/a.pem"}),
        ({"options": CA_PEM, "earlier": {"tenant.ca_file": "/a.pem"}}, CA_PEM),
    ],
)
def test_stronger_source_drops_excluded_settings(sources: Any, left: object) -> None:
    given = {"options": {}, "environment": {}, **sources, "file": _file(sources.get("file", ""))}
    assert merge(**given).record() == left


def test_new_cloud_or_method_drops_settings_of_the_old_one() -> None:
    loaded = parse(FULL, "answers.yaml")
    answers = merge({}, {"intune_env": "FXP", "MSTUNNEL_SIGN_IN_METHOD": "device-code"}, loaded)
    assert (answers.tenant.authority, answers.tenant.graph) == (None, None)
    assert answers.sign_in.client_secret is None


IDENTITIES: Mapping[str, Mapping[str, object]] = {
    "secret": {"client_id": APPLICATION, "client_secret": "file:/secret"},
    "PFX": {"client_id": APPLICATION, "pfx": "/agent.pfx", "passphrase": "file:/passphrase"},
    "certificate": {"client_id": APPLICATION, "certificate": "/agent.pem", "key": "/agent.key"},
    "created": {"credential": "secret"},
}
VARIANTS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "identity": [*IDENTITIES.values()],
    "sign_in": [
        {"method": "device-code"},
        {"method": "token-file", "token_file": "/token"},
        {"method": "client-secret", **IDENTITIES["secret"]},
        *({"method": "client-certificate", **IDENTITIES[form]} for form in ("PFX", "certificate")),
    ],
    "certificate": [
        {"chain": ["/c.pem"], "key": "/k.pem"},
        {"pfx": "/s.pfx", "passphrase": "file:/p"},
    ],
    "tenant": [
        {"cloud": "custom", "authority": "https://a.example", "graph": "https://g.example", "ca_pem": PEM},
        {"cloud": "gcc-high", "ca_file": "/ca.pem"},
    ],
}


@pytest.mark.parametrize(
    ("section", "weaker", "stronger"),
    [(name, *pair) for name, variants in VARIANTS.items() for pair in permutations(variants, 2)],
)
def test_other_variant_drops_settings_of_weaker_source(
    section: str, weaker: Mapping[str, object], stronger: Mapping[str, object]
) -> None:
    earlier, backup = (
        {f"{section}.{key}": value for key, value in variant.items()} for variant in (stronger, weaker)
    )
    found = merge({}, {}, earlier=earlier, backup=backup).record()
    assert earlier.items() <= found.items()
    # The client id is kept, because an application has the same id with any credential.
    assert found.keys() - earlier.keys() <= {f"{section}.client_id"}


def test_stronger_source_resolves_contradictory_answers() -> None:
    earlier = {
        f"identity.{key}": value for key, value in {**IDENTITIES["certificate"], "pfx": "/a.pfx"}.items()
    }
    found = merge({"identity.passphrase": "file:/p"}, {}, earlier=earlier)
    assert found.record() == {
        "identity.client_id": APPLICATION,
        "identity.pfx": "/a.pfx",
        "identity.passphrase": "file:/p",
    }


def test_key_of_a_replaced_certificate_is_dropped() -> None:
    earlier, backup = {"certificate.pfx": "/s.pfx"}, {"certificate.key": "/k.pem"}
    found = merge({"certificate.chain": "/both.pem"}, {}, earlier=earlier, backup=backup)
    assert found.record() == {"certificate.chain": ["/both.pem"]}


EXCLUSIVE = {
    path
    for choice in CHOICES
    for paths in (choice.variants.values() if isinstance(choice, Selected) else choice.variants)
    for path in paths
}


def test_tests_cover_every_exclusive_setting() -> None:
    tried = {
        f"{section}.{key}"
        for section, variants in VARIANTS.items()
        for variant in variants
        for key in variant
    }
    assert tried | DEVICES.keys() | BOTH.keys() >= EXCLUSIVE
    assert BY_PATH.keys() >= EXCLUSIVE


@every("section", ["sign_in", "identity", "certificate", "devices"])
def test_every_setting_of_a_section_belongs_to_a_variant(section: str) -> None:
    settings = {path for path in BY_PATH if path.startswith(f"{section}.")}
    assert settings - EXCLUSIVE <= {"sign_in.method", "sign_in.client_id", "certificate.renewal_hook"}


TWO_IDENTITIES = {
    f"identity.{key}": value for key, value in {**IDENTITIES["secret"], **IDENTITIES["PFX"]}.items()
}


@pytest.mark.parametrize(
    ("options", "earlier", "message"),
    [
        ({}, TWO_IDENTITIES, "use either `client_secret` or `pfx`"),
        ({**PAIR, "certificate.pfx": "/s"}, {}, "use either `--pfx` or `--cert`"),
        ({**CA_PEM, "tenant.ca_file": "/a.pem"}, {}, "use either"),
    ],
)
def test_exclusive_settings_from_one_source_are_an_error(
    options: dict[str, str], earlier: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        merge(options, {}, None, earlier)


def test_recorded_answers_are_restored_unchanged() -> None:
    first = merge({"site": "Berlin"}, {"mst_rootless_mode": "1"}, parse(FULL, "answers.yaml"))
    again = merge({}, {}, None, first.record())
    assert again.model_dump(mode="json") == first.model_dump(mode="json")
    assert again.record() == first.record()
    assert first.record()["sign_in.client_secret"] == "file:/root/secret"


def test_added_value_keeps_the_origins_of_the_others() -> None:
    first = merge({"engine": "podman"}, {}, parse(FULL, "answers.yaml"), {"server_name": "gw9"})
    then = answered(first, {"site": "Berlin"})
    assert then.site == "Berlin"
    assert {path for path, origin in then.origins.items() if origin != first.origins[path]} == {"site"}


def test_unknown_recorded_setting_is_ignored() -> None:
    assert merge({}, {}, None, {"gone": 1, "site": "x"}).site == "x"


def test_recorded_answer_without_value_counts_as_missing() -> None:
    secret = {"sign_in.method": "client-secret", "sign_in.client_secret": "file:/root/secret"}
    with pytest.raises(UsageError, match="needs `client_id`: add the id of the application"):
        merge({}, {}, earlier={**secret, "sign_in.client_id": None})


def test_answers_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        merge({}, {}).site = "x"


def test_all_missing_answers_are_reported_at_once() -> None:
    with refused(UsageError, "answers-missing") as caught:
        require(merge({}, {}), ["eula", "site", "mode", "sign_in.client_id"])
    assert caught.value.message.splitlines() == [
        "required answers are missing:",
        "`eula`: give --accept-eula, MSTUNNEL_ACCEPT_EULA or `eula` in the answer file",
        "`site`: give --site, MSTUNNEL_SITE or `site` in the answer file",
        "`sign_in.client_id`: give MSTUNNEL_SIGN_IN_CLIENT_ID or `sign_in.client_id` in the answer file",
    ]


def test_require_accepts_complete_answers() -> None:
    answers = merge({"site": "x"}, {})
    require(answers, ["site", "engine"])
    assert answers.site == "x"


def test_show_lists_value_and_origin() -> None:
    found = show(merge({"site": "Berlin"}, {}, parse(FULL, "answers.yaml")))
    shown = {path: answer.data for path, answer in found.items()}
    assert shown["site"] == {"value": "Berlin", "origin": "option", "source": "--site"}
    assert shown["authentication"] == {"value": "oidc", "origin": "file", "source": "answers.yaml:26:17"}
    assert shown["sign_in.client_secret"] == {
        "value": "file:/root/secret",
        "origin": "file",
        "source": "answers.yaml:16:18",
    }
    assert "sign_in.token_file" not in shown


def test_lines_has_one_line_for_each_setting() -> None:
    shown = lines(show(merge({"site": "Berlin", "images.archive": ["/a", "/b"]}, {})))
    assert [line.split() for line in shown if line.startswith(("site", "images"))] == [
        ["site", "Berlin", "(option", "--site)"],
        ["images.archive", "/a", "/b", "(option", "--offline)"],
    ]
    assert ["sign_in.method", "device-code", "(default)"] in [line.split() for line in shown]


def test_new_file_is_valid_and_has_every_key() -> None:
    text = new_file()
    assert parse(text.encode(), "new.yaml").answers.model_fields_set == {"version"}
    for setting in SETTINGS:
        assert f"{setting.path.rsplit('.', 1)[-1]}:" in text


@pytest.mark.parametrize("answers", [merge({}, {}, parse(FULL, "a")), merge({"site": 'a "b" \\ #c: é'}, {})])
def test_file_written_from_answers_yields_the_same_answers(answers: Answers) -> None:
    again = merge({}, {}, parse(new_file(answers).encode(), "new.yaml"))
    assert again.model_dump(mode="json") == answers.model_dump(mode="json")


@pytest.mark.parametrize("key", ["eula", "mode", "engine", "server_name", "site", "authentication"])
def test_uncommented_entry_of_a_new_file_is_valid(key: str) -> None:
    text = new_file().replace(f"\n# {key}: ", f"\n{key}: ")
    assert parse(text.encode(), "new.yaml").answers.model_fields_set == {"version", key}


def test_null_removes_an_earlier_answer() -> None:
    file = parse(b"version: 1\ndevices:\n  crl_file: null\n", "x")
    earlier = {"devices.crl_file": "/root/ca.crl", "authentication": "certificate", "site": "Berlin"}

    found = merge({}, {}, file, earlier=earlier)

    assert found.devices.crl_file is None
    assert found.withdrawn("devices.crl_file")
    assert found.record() == {"authentication": "certificate", "site": "Berlin"}
    assert not merge({}, {}, earlier=found.record()).withdrawn("devices.crl_file")
    assert not found.withdrawn("devices.ca_file")


def test_null_does_not_drop_other_settings() -> None:
    file = parse(b"version: 1\ncertificate:\n  pfx: null\n", "x")
    earlier = {"certificate.chain": ["/root/a.pem"], "certificate.key": "/root/k.pem"}
    assert merge({}, {}, file, earlier=earlier).record() == earlier


@pytest.mark.parametrize("text", ["mode: null", "client_to_client: ~", "site:"])
def test_null_with_a_default_and_empty_keys_are_refused(text: str) -> None:
    with pytest.raises(AnswersError, match="is empty: set a value or remove the key"):
        parse(f"version: 1\n{text}\n".encode(), "x")


def test_schema_has_titles_and_null_for_optional_settings() -> None:
    found = schema().data
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["title"] == "Answer file of mstunnel-setup"
    assert found["additionalProperties"] is False
    properties = found["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == list(parse(b"version: 1", "x").answers.model_dump())
    nullable = {name for name, value in properties.items() if "{'type': 'null'}" in str(value)}
    assert nullable == {"eula", "bridge", "server_name", "site"}


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (
            {"certificate.chain": "/c", "certificate.passphrase": "file:/p"},
            {},
            ("option --passphrase-file: use either `--passphrase-file` or `--cert`: remove one of them"),
        ),
        (
            {},
            {"MSTUNNEL_KEY": "/k"},
            "environment MSTUNNEL_KEY: `MSTUNNEL_KEY` requires `MSTUNNEL_CERT`: add it",
        ),
        (
            {},
            {"MSTUNNEL_IDENTITY_CREDENTIAL": "x"},
            (
                "environment MSTUNNEL_IDENTITY_CREDENTIAL: "
                "`MSTUNNEL_IDENTITY_CREDENTIAL` must be `certificate` or `secret`"
            ),
        ),
    ],
)
def test_invalid_value_is_reported_by_its_option_or_variable(
    options: dict[str, str], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        merge(options, environment)
    assert caught.value.message == message
    assert "`--help`" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", f"{PEM}more\n", f"key\n{PEM}"],
)
def test_roots_with_other_content_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        merge({"tenant.ca_pem": text or "x"}, {})
    assert "certificates in PEM and nothing else" in caught.value.message


def test_roots_survive_writing_and_parsing_a_file() -> None:
    written = new_file(merge({"tenant.ca_pem": PEM * 2}, {}))
    assert parse(written.encode(), "answers.yaml").answers.tenant.ca_pem == PEM * 2


@pytest.mark.parametrize("text", ["600.0", "6_00", "0x258", "6e2", "1 000", "600s", ""])
def test_whole_number_must_have_digits_only(text: str) -> None:
    if text:
        with pytest.raises(UsageError, match="must be a whole number"):
            merge({}, {"MSTUNNEL_TOKEN_MAXIMUM_LIFETIME": text})
        with pytest.raises(UsageError, match=r"`token\.maximum_lifetime` must be a whole number"):
            _file(f"token: {{maximum_lifetime: {text}}}\n")
    assert merge({}, {"MSTUNNEL_TOKEN_MAXIMUM_LIFETIME": "600"}).token.maximum_lifetime == 600


class Sizes(Part):
    """A section with a whole number in each form of declaration."""

    plain: int = 0
    optional: Annotated[int, Field(ge=0)] | None = None
    limited: Annotated[int | None, Field(ge=0)] = None


@pytest.mark.parametrize("name", Sizes.model_fields)
def test_whole_number_rule_applies_to_every_declaration(name: str) -> None:
    assert Sizes.model_validate({name: "12"}).model_dump(exclude_unset=True) == {name: 12}
    with pytest.raises(ValidationError, match="must be a whole number"):
        Sizes.model_validate({name: "1_2"})


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("192.0.2.10", ("192.0.2.10",)),
        (["192.0.2.10/32", "192.0.2.64/28"], ("192.0.2.10", "192.0.2.64/28")),
        (["2001:DB8:0::10", "2001:db8:7::/48"], ("2001:db8::10", "2001:db8:7::/48")),
        ([], ()),
    ],
)
def test_balancers_may_be_addresses_and_networks(given: object, taken: tuple[str, ...]) -> None:
    assert merge({}, {}, earlier={"proxy_protocol_from": given}).proxy_protocol_from == taken


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("lb.example.com", "must be an address or a network"),
        ("192.0.2.10/24", "must be an address or a network"),
        ("192.0.2.10\nlisten-proxy-proto = false", "must be an address or a network"),
        ("fe80::1%eth0", "must be an address or a network"),
        ("0.0.0.0/0", "must not be wider than /16"),
        ("10.0.0.0/8", "must not be wider than /16"),
        ("::/0", "must not be wider than /48"),
        ([f"192.0.2.{last}" for last in range(65)], "must have at most 64 entries"),
    ],
)
def test_invalid_balancer_is_refused_with_reason(given: object, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        merge({}, {}, earlier={"proxy_protocol_from": given})
    assert reason in str(caught.value)
