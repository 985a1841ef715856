import pytest

from mstunnel_setup.gateway.oidc import default_issuer, metadata_url, oidc_config
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID

TENANT = "0b5e1c6e-30f6-4c5e-9d6f-2f4a4d8f6a10"


@pytest.mark.parametrize(
    ("cloud", "authority", "issuer"),
    [
        ("public", "https://login.microsoftonline.com", f"https://sts.windows.net/{TENANT}/"),
        ("gcc-high", "https://login.microsoftonline.us", f"https://sts.windows.net/{TENANT}/"),
        ("custom", "https://lab.example:8443", f"https://lab.example:8443/{TENANT}/v2.0"),
        ("custom", "https://lab.example:8443/", f"https://lab.example:8443/{TENANT}/v2.0"),
    ],
)
def test_the_issuer_unless_it_is_set(cloud: str, authority: str, issuer: str) -> None:
    assert default_issuer(cloud, authority, TENANT) == issuer


def test_what_ocserv_requires_of_a_token() -> None:
    metadata = metadata_url("https://login.microsoftonline.com", TENANT)

    assert oidc_config(metadata, TENANT, GATEWAY_APP_ID, "https://issuer/") == {
        "openid_configuration_url": (
            f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
        ),
        "user_name_claim": "oid",
        "required_claims": {"aud": GATEWAY_APP_ID, "iss": "https://issuer/", "tid": TENANT},
        "minimum_jwk_refresh_time": 900,
    }


def test_the_tenant_claim_can_be_left_out() -> None:
    assert oidc_config("https://m/", None, "a", "i")["required_claims"] == {"aud": "a", "iss": "i"}
