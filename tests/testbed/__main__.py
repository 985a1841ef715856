"""`python -m tests.testbed images` builds images, `up` boots a testbed that stays, `demo` runs the demo."""

import sys

from tests.testbed import demo, images
from tests.testbed.testbed import Testbed


def main(command: str) -> int:
    """Run one command of the module."""
    if command == "demo":
        return demo.main()
    built = images.build()
    for image in built.values():
        print(image.reference, image.digest)
    if command == "up":
        with Testbed(keep=True, built=built) as testbed:
            for name, reference in testbed.start_registry().references.items():
                print(name, reference)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if sys.argv[1:] else "images"))
