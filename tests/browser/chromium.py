"""Headless Chromium on its driver: it trusts one lab by the digest of its key, nothing else is unusual."""

import base64
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",
)
WIDE = (1000, 760)
PHONE = (390, 760)
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_ARRIVED = "return !window.isLeft && document.readyState === 'complete'"
_AXE = """
const done = arguments[arguments.length - 1];
axe.run({runOnly: {type: "tag", values: arguments[0]}}).then(found => done(found.violations));
"""


def key_digest(certificate: bytes) -> str:
    """The digest by which Chromium may trust a certificate (PEM): SHA-256 of its public key, in base64."""
    public = x509.load_pem_x509_certificate(certificate).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Browser:
    """One window; fields are found by their labels, as people find them."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Go to an address."""
        self.driver.get(address)

    def size(self, size: tuple[int, int]) -> None:
        """Give the page this many pixels."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def colours(self, scheme: str) -> None:
        """Prefer "light" or "dark" colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def wait_for_heading(self, text: str) -> None:
        """Wait for the page that a key press led to."""
        WebDriverWait(self.driver, 20).until(lambda _driver: text in self._text("h1"))

    def wait_for_text(self, text: str) -> None:
        """Wait until the page says something."""
        WebDriverWait(self.driver, 20).until(lambda _driver: text in self._text("body"))

    def wait_for_script(self, script: str) -> None:
        """Wait until a script returns something true."""
        WebDriverWait(self.driver, 20).until(lambda driver: driver.execute_script(script))

    def _text(self, tag: str) -> str:
        """The text of an element, "" while one page makes way for the next, in whatever words."""
        try:
            return str(self.driver.find_element(By.TAG_NAME, tag).text)
        except WebDriverException:
            return ""

    def field(self, label: str) -> WebElement:
        """The field that belongs to a label, or to the beginning of one."""
        exact = self.driver.find_elements(By.XPATH, f"//label[normalize-space()='{label}']")
        path = f"//label[starts-with(normalize-space(), '{label}')]"
        found = exact[0] if exact else self.driver.find_element(By.XPATH, path)
        return self.driver.find_element(By.ID, str(found.get_attribute("for")))

    def type(self, label: str, text: str) -> None:
        """Replace the text of a field."""
        found = self.field(label)
        found.clear()
        found.send_keys(text)

    def choose(self, label: str, text: str) -> None:
        """Choose from a list."""
        Select(self.field(label)).select_by_visible_text(text)

    def tick(self, label: str) -> None:
        """Tick a box."""
        found = self.field(label)
        if not found.is_selected():
            found.click()

    def download(self, name: str, directory: Path) -> Path:
        """Press what leads to a file, and wait until it is there."""
        before = set(directory.iterdir())
        where = {"behavior": "allow", "downloadPath": str(directory)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
        self._button(name).click()

        def arrived(_driver: Chrome) -> list[Path]:
            return [path for path in directory.iterdir() if path not in before and not _partial(path)]

        found: list[Path] = WebDriverWait(self.driver, 20).until(arrived)
        return found[0]

    def _button(self, name: str) -> WebElement:
        path = f"//button[normalize-space()='{name}'] | //a[normalize-space()='{name}']"
        return self.driver.find_element(By.XPATH, path)

    def press(self, name: str) -> None:
        """Press a button or follow a link, and wait for the page it leads to."""
        self.driver.execute_script("window.isLeft = true")
        self._button(name).click()
        # A query while one page is replaced by the next gets errors of several kinds.
        waiting = WebDriverWait(self.driver, 20, ignored_exceptions=[WebDriverException])
        waiting.until(lambda driver: driver.execute_script(_ARRIVED))

    def text(self) -> str:
        """What can be read on the page."""
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def heading(self) -> str:
        """The heading of the page."""
        return str(self.driver.find_element(By.TAG_NAME, "h1").text)

    def violations(self) -> list[str]:
        """What axe-core has to say against the page: WCAG 2.2 AA and good practice."""
        # The page's own policy forbids scripts; the driver's are not the page's.
        self.driver.execute_script(AXE.read_text())
        found: list[Any] = self.driver.execute_async_script(_AXE, list(_RULES))
        return [f"{item['id']}: {node['html']}" for item in found for node in item["nodes"]]

    def console(self) -> list[str]:
        """What the browser complained about."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def overflows(self) -> bool:
        """Tell whether the page is wider than the window, so that it must be moved sideways to be read."""
        script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(self.driver.execute_script(script))

    def screenshot(self, path: Path) -> None:
        """Keep what the window shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.driver.get_screenshot_as_png())


def _partial(path: Path) -> bool:
    """Whether the browser still writes a file."""
    return path.suffix == ".crdownload" or path.name.startswith(".")


@contextmanager
def chromium(profile: Path, certificate: bytes | None, *options: str) -> Iterator[Browser]:
    """A browser with a new profile that trusts the key of `certificate` (PEM), if one is given."""
    settings = ChromeOptions()
    settings.binary_location = str(shutil.which("chromium"))
    settings.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    trusted = [f"--ignore-certificate-errors-spki-list={key_digest(certificate)}"] if certificate else []
    for flag in (*FLAGS, f"--user-data-dir={profile}", *trusted, *options):
        settings.add_argument(flag)
    driver = Chrome(options=settings, service=ChromeService(shutil.which("chromedriver")))
    driver.set_page_load_timeout(30)
    driver.set_script_timeout(60)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def lab_certificate(directory: Path) -> bytes:
    """The server certificate of a lab that keeps its files there."""
    return (directory / "server.pem").read_bytes()
