"""Whether an account may use Intune, as far as the service plans of its licences tell."""

from collections.abc import Iterable
from typing import Final

from mstunnel_setup.tenant.wire import INTUNE_PLAN_1, LicenseDetails, ServicePlan

_NAME: Final = "INTUNE_A"
_DISABLED: Final = "Disabled"


def has_intune(licences: Iterable[LicenseDetails]) -> bool | None:
    """True with Intune Plan 1, False without any plan of Intune.

    None with other plans of Intune only, such as INTUNE_EDU: no source tells which of them are sufficient.
    """
    plans = [plan for licence in licences for plan in licence.service_plans]
    ours = [plan for plan in plans if _is_intune(plan) and plan.provisioning_status != _DISABLED]
    if any(plan.service_plan_id == INTUNE_PLAN_1 or plan.service_plan_name == _NAME for plan in ours):
        return True
    return None if ours else False


def _is_intune(plan: ServicePlan) -> bool:
    return plan.service_plan_id == INTUNE_PLAN_1 or plan.service_plan_name.upper().startswith("INTUNE")
