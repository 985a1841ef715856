"""Which service plans are a licence of Intune; the ids and names are those of licences of real tenants."""

import pytest

from mstunnel_setup.tenant.graph import has_intune
from mstunnel_setup.tenant.wire import INTUNE_PLAN_1, LicenseDetails, ServicePlan


def plan(name: str = "", plan_id: str = "", status: str | None = "Success") -> ServicePlan:
    return ServicePlan(service_plan_name=name, service_plan_id=plan_id, provisioning_status=status)


@pytest.mark.parametrize(
    ("plans", "licensed"),
    [
        ((), False),
        ((plan("EXCHANGE_S_STANDARD"),), False),
        ((plan("INTUNE_A"),), True),
        ((plan("A new name", INTUNE_PLAN_1),), True),
        ((plan("EXCHANGE_S_STANDARD"), plan("INTUNE_A", status="PendingProvisioning")), True),
        ((plan("INTUNE_A", status=None),), True),
        ((plan("INTUNE_A", status="Disabled"),), False),
        ((plan("INTUNE_O365"),), None),
        ((plan("Intune_Defender"), plan("INTUNE_A", status="Disabled")), None),
        ((plan("INTUNE_EDU", status="Disabled"),), False),
    ],
)
def test_only_what_is_clear_is_yes_or_no(plans: tuple[ServicePlan, ...], licensed: bool | None) -> None:
    assert has_intune([LicenseDetails(service_plans=(item,)) for item in plans]) is licensed
    assert has_intune([LicenseDetails(), LicenseDetails(service_plans=plans)]) is licensed
