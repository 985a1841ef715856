"""`mstunnel-setup self licenses`: the licences of everything that the program brings."""

from mstunnel_setup.host import bundle
from mstunnel_setup.operations.errors import LICENSES_NOT_BUNDLED
from mstunnel_setup.result import Result


def self_licenses() -> Result:
    """The texts as they were bundled. Raises UsageError where the program brings nothing."""
    text = bundle.licenses()
    if text is None:
        raise LICENSES_NOT_BUNDLED()
    return Result("ok", {"licenses": text}, text=text.splitlines())
