"""The site of an installation."""

from mstunnel_setup.base.result import Report
from mstunnel_setup.transaction.receipt import Receipt, remembered


class JoinedSite(Report):
    """The site this server belongs to."""

    id: str
    name: str
    public_address: str

    @classmethod
    def of(cls, receipt: Receipt) -> "JoinedSite | None":
        """Return the site that an installation joined; None before that."""
        joined = remembered(receipt, "joined-site")
        return cls.model_validate(joined) if joined else None
