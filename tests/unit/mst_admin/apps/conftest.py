"""A tenant with Defender."""

import pytest

from tests.unit.mst_admin.labs import Tenant

DEFENDER = "com.microsoft.scmx"


@pytest.fixture(scope="module")
def with_defender(tenant: Tenant) -> Tenant:
    """Return the shared lab after adding Defender from Google Play and the App Store."""
    transport = tenant.graph()._transport
    store = "/deviceManagement/androidManagedStoreAccountEnterpriseSettings"
    transport.send("POST", f"{store}/approveApps", {"packageIds": [f"app:{DEFENDER}"]})
    transport.send("POST", f"{store}/syncApps")
    body = {
        "@odata.type": "#microsoft.graph.iosStoreApp",
        "displayName": "Microsoft Defender",
        "publisher": "Microsoft",
        "bundleId": DEFENDER,
        "appStoreUrl": "https://apps.apple.com/app/id1526737990",
        "applicableDeviceType": {"iPad": True, "iPhoneAndIPod": True},
        "minimumSupportedOperatingSystem": {"v16_0": True},
    }
    transport.send("POST", "/deviceAppManagement/mobileApps", body)
    return tenant
